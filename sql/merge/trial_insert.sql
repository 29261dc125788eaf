IF loader_has_triggers THEN
    WITH written AS (
@profiles@
    )
    SELECT count(*), count(*) FILTER (WHERE written.id IN (
        SELECT s.id FROM pg_temp.profile_loader_staged AS s WHERE s.ctid = ANY (loader_chosen)
    ))
    INTO loader_rows, loader_expected
    FROM written;
    IF loader_rows <> loader_expected OR loader_rows <> cardinality(loader_chosen) THEN
        -- A trigger has done that, or another session has stored the profile, which is no fault.
        loader_outcome := CASE WHEN cardinality(loader_chosen) = 1 AND EXISTS (
            SELECT FROM pg_temp.profile_loader_staged AS s
            JOIN @schema@.customer_profiles AS t ON t.id = s.id
            WHERE s.ctid = ANY (loader_chosen)
        ) THEN 'written' ELSE 'left out' END;
        EXIT write;
    END IF;
    SELECT count(s.line1), coalesce(sum(cardinality(s.emails)), 0), coalesce(sum(cardinality(s.phones)), 0)
    INTO loader_expected, loader_emails, loader_phones
    FROM pg_temp.profile_loader_staged AS s
    WHERE s.ctid = ANY (loader_chosen);
ELSE
@profiles@;
    GET DIAGNOSTICS loader_rows = ROW_COUNT;
    IF loader_rows <> cardinality(loader_chosen) THEN
        -- Another session has stored a profile, which is no fault.
        loader_outcome := CASE WHEN cardinality(loader_chosen) = 1 THEN 'written' ELSE 'left out' END;
        EXIT write;
    END IF;
END IF;
IF loader_written & 2 <> 0 THEN
@addresses@;
    GET DIAGNOSTICS loader_rows = ROW_COUNT;
    IF loader_has_triggers AND loader_rows <> loader_expected THEN
        loader_outcome := 'left out';
        EXIT write;
    END IF;
END IF;
IF loader_written & 4 <> 0 THEN
@emails@;
    GET DIAGNOSTICS loader_rows = ROW_COUNT;
    IF loader_has_triggers AND loader_rows <> loader_emails THEN
        loader_outcome := 'left out';
        EXIT write;
    END IF;
END IF;
IF loader_written & 8 <> 0 THEN
@phone_numbers@;
    GET DIAGNOSTICS loader_rows = ROW_COUNT;
    IF loader_has_triggers AND loader_rows <> loader_phones THEN
        loader_outcome := 'left out';
        EXIT write;
    END IF;
END IF;
