//! Many rows of a table as one JSON array, and the table as both databases make of it again. That
//! way a statement's text does not depend on how many rows there are: it is prepared once, and a
//! group of commits costs as many round trips as one. A row that is alone can go as it is, which
//! spares the server the reading of JSON.

use sea_orm::sea_query::ColumnType;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IdenStatic, IntoActiveModel, Iterable, ModelTrait,
    PrimaryKeyToColumn, PrimaryKeyTrait, Value,
};

/// The databases' dialects, where they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// Where the rows of a table are, among a statement's parameters.
#[derive(Debug, Clone)]
pub(super) enum Given {
    /// All in the JSON array of this one.
    Many(usize),
    /// A single row, from this one on, its values in the order of these names.
    One(usize, Vec<&'static str>),
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
    /// The given rows as a table `n` of these columns.
    pub(super) fn table(self, fields: &[Field], given: Given) -> String {
        match (given, self) {
            (Given::Many(at), Dialect::Postgres) => {
                let columns = list(fields, |field| format!("\"{}\" {}", field.name, field.kind));
                format!("json_to_recordset(${at}::json) AS n({columns})")
            }
            (Given::Many(at), Dialect::Sqlite) => {
                let columns = list(fields, |field| format!("value->>'{0}' AS \"{0}\"", field.name));
                format!("(SELECT {columns} FROM json_each(${at})) AS n")
            }
            (Given::One(first, names), _) => {
                // By its name, as in JSON: a value is never taken for that of another column.
                let columns = list(fields, |field| {
                    let place = names.iter().position(|name| *name == field.name);
                    let value = place.map_or("NULL".to_owned(), |at| format!("${}", first + at));
                    format!("CAST({value} AS {}) AS \"{}\"", field.kind, field.name)
                });
                format!("(SELECT {columns}) AS n")
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
    /// The first row, until there is a second one.
    first: Vec<Member>,
    json: Vec<u8>,
    count: u64,
}

type Member = (&'static str, Value);

/// A row of a table, whose values can be taken out of it.
pub(super) trait Row: ModelTrait + IntoActiveModel<ActiveModelOf<Self>> {}

type ActiveModelOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::ActiveModel;

impl<M: ModelTrait + IntoActiveModel<ActiveModelOf<M>>> Row for M {}

impl Rows {
    pub(super) const fn new() -> Self {
        Self { first: Vec::new(), json: Vec::new(), count: 0 }
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn push<M: Row>(&mut self, model: M) {
        self.push_with(model, &[]);
    }

    /// With further columns behind those of the table.
    pub(super) fn push_with<M: Row>(&mut self, model: M, more: &[(&'static str, Option<i64>)]) {
        let mut values = model.into_active_model();
        let columns = <M::Entity as EntityTrait>::Column::iter();
        let written = columns.filter(|column| !is_given::<M::Entity>(*column));
        // Every value of a model is set.
        let own = written.filter_map(|column| {
            values.take(column).into_value().map(|value| (column.as_str(), value))
        });
        let more = more.iter().map(|(name, number)| (*name, Value::from(*number)));
        self.push_members(own.chain(more));
    }

    /// A row that is no model; its values have the same order each time.
    pub(super) fn push_values(&mut self, values: &[Member]) {
        self.push_members(values.iter().cloned());
    }

    fn push_members(&mut self, members: impl Iterator<Item = Member>) {
        let row = members.map(|(name, value)| (name, clean(value)));
        if self.count == 0 {
            self.first = row.collect();
        } else {
            self.write_first();
            self.write(row);
        }
        self.count += 1;
    }

    fn write_first(&mut self) {
        if self.json.is_empty() {
            let first = std::mem::take(&mut self.first);
            self.json.push(b'[');
            self.write(first.into_iter());
        }
    }

    /// What is null is left out: it is read as null again.
    fn write(&mut self, row: impl Iterator<Item = Member>) {
        self.json.push(b'{');
        for (name, value) in row {
            match value {
                Value::BigInt(Some(number)) => {
                    self.member(name, |json| serde_json::to_writer(json, &number))
                }
                Value::Bool(Some(truth)) => {
                    self.member(name, |json| serde_json::to_writer(json, &truth))
                }
                Value::String(Some(text)) => {
                    self.member(name, |json| serde_json::to_writer(json, &text))
                }
                _ => {}
            }
        }
        if self.json.last() == Some(&b',') {
            self.json.pop();
        }
        self.json.extend_from_slice(b"},");
    }

    fn member(&mut self, name: &str, value: impl FnOnce(&mut Vec<u8>) -> serde_json::Result<()>) {
        self.json.push(b'"');
        self.json.extend_from_slice(name.as_bytes());
        self.json.extend_from_slice(b"\":");
        // Into memory these are always written.
        value(&mut self.json).ok();
        self.json.push(b',');
    }

    /// The array.
    pub(super) fn into_json(mut self) -> String {
        if self.count == 0 {
            return "[]".to_owned();
        }
        self.write_first();
        self.json.pop();
        self.json.push(b']');
        // Only whole texts were put in.
        String::from_utf8(self.json).unwrap_or_default()
    }

    /// Where they are among the parameters, from this one on, and how many parameters they take.
    pub(super) fn given(&self, first: usize) -> (Given, usize) {
        if self.count == 1 {
            let names: Vec<_> = self.first.iter().map(|(name, _)| *name).collect();
            let width = names.len();
            (Given::One(first, names), width)
        } else {
            (Given::Many(first), 1)
        }
    }

    /// These parameters.
    pub(super) fn into_values(self) -> Vec<Value> {
        if self.count == 1 {
            self.first.into_iter().map(|(_, value)| value).collect()
        } else {
            vec![self.into_json().into()]
        }
    }
}

/// PostgreSQL's texts have no place for a zero character; nobody means one.
fn clean(value: Value) -> Value {
    match value {
        Value::String(Some(text)) if text.contains('\0') => text.replace('\0', "\u{fffd}").into(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[[Value; 2]]) -> Rows {
        let mut rows = Rows::new();
        for [a, b] in values {
            rows.push_values(&[("a", a.clone()), ("b", b.clone())]);
        }
        rows
    }

    #[test]
    fn a_row_alone_goes_as_it_is_and_in_company_as_json() {
        let odd: Value = "\"\0".into();
        let (none, seven) = (Value::BigInt(None), Value::BigInt(Some(7)));
        let alone = rows(&[[odd.clone(), none.clone()]]);
        let (given, width) = alone.given(4);
        let table = Dialect::Postgres.table(&["b", "c", "a"].map(Field::text), given);
        let columns = [("$5", "b"), ("NULL", "c"), ("$4", "a")]
            .map(|(value, name)| format!("CAST({value} AS text) AS \"{name}\""));
        assert_eq!(table, format!("(SELECT {}) AS n", columns.join(", ")));
        assert_eq!(width, 2);
        assert_eq!(alone.clone().into_json(), "[{\"a\":\"\\\"\u{fffd}\"}]");
        assert_eq!(alone.into_values(), ["\"\u{fffd}".into(), none.clone()]);
        let together = rows(&[[odd, none.clone()], [seven, true.into()], [none.clone(), none]]);
        let json = "[{\"a\":\"\\\"\u{fffd}\"},{\"a\":7,\"b\":true},{}]";
        assert_eq!(together.into_values(), [json.into()]);
        assert_eq!(rows(&[]).into_json(), "[]");
    }
}
