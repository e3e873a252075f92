//! Many rows of a table as one JSON array, and the table as both databases make of it again. That
//! way a statement's text does not depend on how many rows there are: it is prepared once, and a
//! group of commits costs as many round trips as one.

use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ColumnTrait, EntityTrait, IdenStatic, Iterable, ModelTrait, PrimaryKeyToColumn,
    PrimaryKeyTrait, Value,
};

/// The databases' dialects, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A column: its name, and its type as PostgreSQL calls it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) name: &'static str,
    kind: &'static str,
}

impl Field {
    pub(super) const fn text(name: &'static str) -> Self {
        Self { name, kind: "text" }
    }

    pub(super) const fn number(name: &'static str) -> Self {
        Self { name, kind: "bigint" }
    }
}

/// The columns of a table that are written: all but a number that the database gives.
pub(super) fn fields<E: EntityTrait>() -> Vec<Field> {
    let written = E::Column::iter().filter(|column| !is_given::<E>(*column));
    written.map(|column| Field { name: column.as_str(), kind: kind(column) }).collect()
}

/// All columns of a table, to be read.
pub(super) fn columns<E: EntityTrait>() -> String {
    E::Column::iter()
        .map(|column| format!("\"{}\"", column.as_str()))
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_given<E: EntityTrait>(column: E::Column) -> bool {
    E::PrimaryKey::auto_increment()
        && E::PrimaryKey::iter().any(|key| key.into_column().as_str() == column.as_str())
}

fn kind(column: impl ColumnTrait) -> &'static str {
    match column.def().get_column_type() {
        ColumnType::BigInteger => "bigint",
        ColumnType::Boolean => "boolean",
        // Nothing else is in our tables.
        _ => "text",
    }
}

impl Dialect {
    /// The JSON array given as `parameter`, as a table `n` of these columns.
    pub(super) fn table(self, fields: &[Field], parameter: &str) -> String {
        match self {
            Dialect::Postgres => {
                let columns = list(fields, |field| format!("\"{}\" {}", field.name, field.kind));
                format!("json_to_recordset({parameter}::json) AS n({columns})")
            }
            Dialect::Sqlite => {
                let columns = list(fields, |field| format!("value->>'{0}' AS \"{0}\"", field.name));
                format!("(SELECT {columns} FROM json_each({parameter})) AS n")
            }
        }
    }

    /// The JSON array of plain values given as `parameter`, for behind `IN`.
    pub(super) fn values(self, field: Field, parameter: &str) -> String {
        match self {
            Dialect::Postgres => {
                let values = format!("json_array_elements_text({parameter}::json)");
                format!("(SELECT v::{} FROM {values} AS v)", field.kind)
            }
            Dialect::Sqlite => format!("(SELECT value FROM json_each({parameter}))"),
        }
    }
}

/// The columns, each written by `one`, with commas between.
pub(super) fn list(fields: &[Field], one: impl Fn(&Field) -> String) -> String {
    fields.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Rows of one table, growing.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    json: Vec<u8>,
    count: u64,
}

impl Rows {
    pub(super) const fn new() -> Self {
        Self { json: Vec::new(), count: 0 }
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push<M: ModelTrait>(&mut self, model: &M) {
        self.push_with(model, &[]);
    }

    /// With further columns behind those of the table.
    pub(super) fn push_with<M: ModelTrait>(&mut self, model: &M, more: &[(&'static str, i64)]) {
        self.begin();
        for column in <M::Entity as EntityTrait>::Column::iter() {
            if !is_given::<M::Entity>(column) {
                self.member(column.as_str(), &model.get(column));
            }
        }
        for (name, number) in more {
            self.member(name, &(*number).into());
        }
        self.end();
    }

    /// A row that is no model.
    pub(super) fn push_values(&mut self, values: &[(&'static str, Value)]) {
        self.begin();
        for (name, value) in values {
            self.member(name, value);
        }
        self.end();
    }

    fn begin(&mut self) {
        self.json.push(if self.count == 0 { b'[' } else { b',' });
        self.json.push(b'{');
        self.count += 1;
    }

    fn end(&mut self) {
        if self.json.last() == Some(&b',') {
            self.json.pop();
        }
        self.json.push(b'}');
    }

    /// What is null is left out: it is read as null again.
    fn member(&mut self, name: &str, value: &Value) {
        let written = match value {
            Value::BigInt(Some(number)) => number.to_string(),
            Value::Bool(Some(truth)) => truth.to_string(),
            Value::String(Some(text)) => quoted(text),
            _ => return,
        };
        self.json.push(b'"');
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
        self.json.extend_from_slice(written.as_bytes());
        self.json.push(b',');
    }

    /// The array.
    pub(super) fn into_json(mut self) -> String {
        if self.count == 0 {
            self.json.push(b'[');
        }
        self.json.push(b']');
        // Only whole texts were put in.
        String::from_utf8(self.json).unwrap_or_default()
    }
}

/// PostgreSQL's texts have no place for a zero character; nobody means one.
fn quoted(text: &str) -> String {
    let quoted = if text.contains('\0') {
        serde_json::to_string(&text.replace('\0', "\u{fffd}"))
    } else {
        serde_json::to_string(text)
    };
    // A text is always written.
    quoted.unwrap_or_default()
}
