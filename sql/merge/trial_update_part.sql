IF loader_differs & @part@ <> 0 THEN
@update@
    INTO loader_rows, loader_expected;
    IF loader_rows <> loader_expected THEN
        loader_outcome := 'left out';
        EXIT write;
    END IF;
END IF;
