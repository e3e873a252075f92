//! The kinds of columns that there are. Numbers are 64 bits, texts have no length.

use sea_orm::sea_query::{ColumnDef, IntoIden};

pub(crate) fn text(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).text().not_null().take()
}

pub(crate) fn text_null(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).text().null().take()
}

pub(crate) fn big_integer(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().not_null().take()
}

pub(crate) fn big_integer_null(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).big_integer().null().take()
}

/// Numbered by the database.
pub(crate) fn big_pk_auto(name: impl IntoIden) -> ColumnDef {
    big_integer(name).auto_increment().primary_key().take()
}

pub(crate) fn boolean(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).boolean().not_null().take()
}

pub(crate) fn boolean_null(name: impl IntoIden) -> ColumnDef {
    ColumnDef::new(name).boolean().null().take()
}
