loader_differs := 0;
FOREACH loader_part IN ARRAY loader_parts[loader_first:loader_last] LOOP
    loader_differs := loader_differs | loader_part;
END LOOP;
loader_differs := loader_differs & loader_written;
