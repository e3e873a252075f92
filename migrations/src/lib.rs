//! Database schema, one file per migration.
