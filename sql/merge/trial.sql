-- Finds the documents that the server refuses among some that are staged. They come by their places in the staging table, no
-- id twice; `loader_parts` says in what each of them differs from what is stored (see classify.sql), and is null for
-- documents that are not stored. Returns those refused, with what the server says; the code is null where it left rows out
-- without a word.
-- Documents are written in groups, a subtransaction each, and always taken back, so that never more than one
-- subtransaction has a number of its own. A group that is refused is made smaller, down to a single document. At first only
-- tables are written where somebody's rules are, for they alone may refuse something (`loader_tables`, in the same bits);
-- a document is refused only with all of its rows. What speaks of the run and not of a document is raised again.
CREATE FUNCTION pg_temp.profile_loader_try(
    loader_places tid[], loader_parts integer[], loader_tables integer, loader_has_triggers boolean
)
RETURNS TABLE (refused_place tid, refused_code text, refused_table text, refused_column text, refused_constraint text)
LANGUAGE plpgsql
-- A plan made for each group anew would take longer than what it is for.
SET plan_cache_mode = force_generic_plan
AS $function$
#variable_conflict use_column
DECLARE
    -- Of a group: how many documents at first, and at most.
    loader_size integer := 16;
    loader_size_max CONSTANT integer := 256;
    -- Another session may have stored or changed some of a document's rows in between, which does not happen each time.
    loader_attempts_max CONSTANT integer := 3;
    loader_all_tables CONSTANT integer := 15;
    loader_first integer := 1;
    loader_last integer;
    loader_attempt integer := 1;
    -- Of the group: which tables are written, in which parts it differs, and what became of it.
    loader_written integer := loader_tables;
    loader_differs integer;
    loader_outcome text;
    loader_chosen tid[];
    loader_part integer;
    loader_rows bigint;
    loader_expected bigint;
    loader_emails bigint;
    loader_phones bigint;
BEGIN
    WHILE loader_first <= cardinality(loader_places) LOOP
        loader_last := least(loader_first + loader_size - 1, cardinality(loader_places));
        loader_chosen := loader_places[loader_first:loader_last];
        loader_outcome := 'refused';
        BEGIN
            <<write>>
            BEGIN
                IF loader_parts IS NULL THEN
@insert@
                ELSE
@update@
                END IF;
                SET CONSTRAINTS ALL IMMEDIATE;
                IF loader_has_triggers AND loader_written = loader_all_tables THEN
                    loader_outcome := CASE WHEN (
@incomplete@
                    ) THEN 'left out' ELSE 'written' END;
                ELSE
                    loader_outcome := 'written';
                END IF;
            END write;
            RAISE EXCEPTION 'taken back';
        EXCEPTION WHEN assert_failure OR others THEN
            IF loader_outcome = 'refused' AND SQLSTATE ~ '@not_of_data@' THEN
                RAISE;
            ELSIF loader_outcome = 'written' THEN
                loader_size := least(2 * (loader_last - loader_first + 1), loader_size_max);
                loader_first := loader_last + 1;
                loader_written := loader_tables;
                loader_attempt := 1;
            ELSIF loader_last > loader_first THEN
                loader_size := greatest((loader_last - loader_first + 1) / 4, 1);
            ELSIF loader_written <> loader_all_tables THEN
                loader_size := 1;
                loader_written := loader_all_tables;
            ELSIF loader_outcome = 'left out' AND loader_attempt < loader_attempts_max THEN
                loader_attempt := loader_attempt + 1;
            ELSE
                refused_place := loader_chosen[1];
                refused_code := NULL;
                IF loader_outcome = 'refused' THEN
                    GET STACKED DIAGNOSTICS
                        refused_code = RETURNED_SQLSTATE, refused_table = TABLE_NAME,
                        refused_column = COLUMN_NAME, refused_constraint = CONSTRAINT_NAME;
                END IF;
                RETURN NEXT;
                loader_size := 1;
                loader_first := loader_last + 1;
                loader_written := loader_tables;
                loader_attempt := 1;
            END IF;
        END;
    END LOOP;
END
$function$
