-- Roles and databases for CMI and Temporal on one PostgreSQL server:
--   cmi_owner  owns the tables of the database cmi: for migrations only
--   cmi_app    reads and writes rows there and can do nothing else: for web processes, workers and starter.py
--   temporal   owns the databases temporal and temporal_visibility, and cannot connect to cmi
--
-- To be run once, by a superuser:
--   DB_OWNER_PASSWORD=… DB_APP_PASSWORD=… TEMPORAL_DB_PASSWORD=… psql --file scripts/postgresql_roles.sql
-- docker-compose.yml does it at the first start.
\set ON_ERROR_STOP on
\set owner_password `printenv DB_OWNER_PASSWORD`
\set app_password `printenv DB_APP_PASSWORD`
\set temporal_password `printenv TEMPORAL_DB_PASSWORD`
SELECT '' IN (:'owner_password', :'app_password', :'temporal_password') AS incomplete \gset
\if :incomplete
    DO $$BEGIN RAISE EXCEPTION 'the three passwords are not set'; END$$;
\endif

CREATE ROLE cmi_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE cmi_app LOGIN PASSWORD :'app_password';
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';

CREATE DATABASE cmi OWNER cmi_owner;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE ALL ON DATABASE cmi, temporal, temporal_visibility FROM PUBLIC;
GRANT CONNECT ON DATABASE cmi TO cmi_app;

\connect cmi
-- of tables that the owner makes from now on, and of those that are there already
ALTER DEFAULT PRIVILEGES FOR ROLE cmi_owner IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO cmi_app;
ALTER DEFAULT PRIVILEGES FOR ROLE cmi_owner IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO cmi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO cmi_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO cmi_app;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO cmi_owner;
GRANT USAGE ON SCHEMA public TO cmi_app;
