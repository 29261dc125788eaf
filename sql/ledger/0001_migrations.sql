-- CREATE SCHEMA IF NOT EXISTS would ask for the privilege to create it even where it exists.
DO $$
BEGIN
    IF to_regnamespace('profile_loader') IS NULL THEN
        CREATE SCHEMA profile_loader;
    END IF;
END
$$;

CREATE TABLE profile_loader.migrations (
    db_schema text NOT NULL,
    version integer NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    adopted boolean NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    applied_by text NOT NULL DEFAULT current_user,
    CONSTRAINT pk_migrations PRIMARY KEY (db_schema, version)
);
