//! Many rows as the parameters of one statement, in the place where its text says `{rows}`: as
//! `VALUES` on SQLite, as an array for each column on Postgres. Rows in a JSON parameter would cost
//! SQLite more to take apart than to store.

use std::ops::Range;

use sqlx::error::BoxDynError;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe};

use super::{Row, StoreError, Tx};

/// Rows that one statement takes on SQLite, filled up with empty ones: few texts, each prepared once.
const SIZES: [usize; 4] = [1, 8, 32, 128];

/// Parameters that one statement has on SQLite, as long as that is more than one row.
const PARAMETERS: usize = 2_048;

/// Many rows: each column has a name, a type, and for each item a value.
pub(crate) struct Many<'a, T> {
    items: &'a [T],
    columns: Vec<(&'static str, Cells<'a>)>,
}

enum Cells<'a> {
    Int(Vec<Option<i64>>),
    Real(Vec<Option<f64>>),
    Flag(Vec<Option<bool>>),
    Text(Vec<Option<&'a str>>),
    Json(Vec<Option<&'a str>>),
    Blob(Vec<Option<&'a [u8]>>),
}

impl<'a, T> Many<'a, T> {
    /// A row for each item, without columns yet.
    pub(crate) fn of(items: &'a [T]) -> Self {
        Self {
            items,
            columns: Vec::new(),
        }
    }

    /// A column of whole numbers.
    pub(crate) fn int<V: Into<Option<i64>>>(self, name: &'static str, value: impl Fn(&'a T) -> V) -> Self {
        let cells = self.items.iter().map(|item| value(item).into()).collect();
        self.column(name, Cells::Int(cells))
    }

    /// A column of numbers.
    pub(crate) fn real<V: Into<Option<f64>>>(self, name: &'static str, value: impl Fn(&'a T) -> V) -> Self {
        let cells = self.items.iter().map(|item| value(item).into()).collect();
        self.column(name, Cells::Real(cells))
    }

    /// A column of truth values.
    pub(crate) fn flag<V: Into<Option<bool>>>(self, name: &'static str, value: impl Fn(&'a T) -> V) -> Self {
        let cells = self.items.iter().map(|item| value(item).into()).collect();
        self.column(name, Cells::Flag(cells))
    }

    /// A column of texts.
    pub(crate) fn text<V: Into<Option<&'a str>>>(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> V,
    ) -> Self {
        let cells = self.items.iter().map(|item| value(item).into()).collect();
        self.column(name, Cells::Text(cells))
    }

    /// A column of JSON documents, written out.
    pub(crate) fn json(self, name: &'static str, value: impl Fn(&'a T) -> Option<&'a str>) -> Self {
        let cells = self.items.iter().map(value).collect();
        self.column(name, Cells::Json(cells))
    }

    /// A column of bytes.
    pub(crate) fn blob<V: Into<Option<&'a [u8]>>>(
        self,
        name: &'static str,
        value: impl Fn(&'a T) -> V,
    ) -> Self {
        let cells = self.items.iter().map(|item| value(item).into()).collect();
        self.column(name, Cells::Blob(cells))
    }

    fn column(mut self, name: &'static str, cells: Cells<'a>) -> Self {
        self.columns.push((name, cells));
        self
    }

    /// Runs a statement with these rows and gives the number of rows that it changed.
    pub(crate) async fn execute(&self, tx: &mut Tx, sql: &str) -> Result<u64, StoreError> {
        if self.items.is_empty() {
            return Ok(0);
        }
        let mut changed = 0;
        match tx {
            Tx::Sqlite(tx) => {
                for (text, arguments) in self.for_sqlite(sql) {
                    let query = sqlx::query_with(AssertSqlSafe(text), arguments?);
                    changed += query.execute(&mut **tx).await?.rows_affected();
                }
            }
            Tx::Postgres(tx) => {
                let query = sqlx::query_with(AssertSqlSafe(self.text_for_postgres(sql)), self.arrays()?);
                changed += query.execute(&mut **tx).await?.rows_affected();
            }
        }
        Ok(changed)
    }

    /// Runs a statement with these rows and gives the rows that it returns.
    pub(crate) async fn fetch(&self, tx: &mut Tx, sql: &str) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        if self.items.is_empty() {
            return Ok(rows);
        }
        match tx {
            Tx::Sqlite(tx) => {
                for (text, arguments) in self.for_sqlite(sql) {
                    let query = sqlx::query_with(AssertSqlSafe(text), arguments?);
                    rows.extend(query.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite));
                }
            }
            Tx::Postgres(tx) => {
                let query = sqlx::query_with(AssertSqlSafe(self.text_for_postgres(sql)), self.arrays()?);
                rows.extend(query.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres));
            }
        }
        Ok(rows)
    }

    /// The statements for SQLite, each with its part of the rows.
    fn for_sqlite(&self, sql: &str) -> impl Iterator<Item = (String, Result<SqliteArguments, StoreError>)> {
        let sizes = || {
            SIZES
                .into_iter()
                .filter(|size| size * (1 + self.columns.len()) <= PARAMETERS)
        };
        let largest = sizes().max().unwrap_or(1);
        (0..self.items.len()).step_by(largest).map(move |first| {
            let rows = largest.min(self.items.len() - first);
            let size = sizes().find(|size| *size >= rows).unwrap_or(largest);
            (
                self.text_for_sqlite(sql, size),
                self.values(first..first + rows).map_err(unwritable),
            )
        })
    }

    fn text_for_sqlite(&self, sql: &str, rows: usize) -> String {
        let names: Vec<String> = (2..)
            .zip(&self.columns)
            .map(|(n, (name, _))| format!("column{n} AS {name}"))
            .collect();
        let row = format!("(?{})", ",?".repeat(self.columns.len()));
        let values = vec![row; rows].join(",");
        let rows = format!("SELECT {} FROM (VALUES {values}) WHERE column1", names.join(", "));
        sql.replace("{rows}", &rows)
    }

    /// These rows, marked as such in a column before theirs: what is not given is NULL. (`LIMIT` would
    /// have SQLite prepare the statement anew for each number.)
    fn values(&self, rows: Range<usize>) -> Result<SqliteArguments, BoxDynError> {
        let mut values = SqliteArguments::default();
        for row in rows {
            values.add(true)?;
            for (_, cells) in &self.columns {
                match cells {
                    Cells::Int(cells) => values.add(cells.get(row).copied().flatten())?,
                    Cells::Real(cells) => values.add(cells.get(row).copied().flatten())?,
                    Cells::Flag(cells) => values.add(cells.get(row).copied().flatten())?,
                    Cells::Text(cells) | Cells::Json(cells) => {
                        values.add(cells.get(row).copied().flatten())?
                    }
                    Cells::Blob(cells) => values.add(cells.get(row).copied().flatten())?,
                }
            }
        }
        Ok(values)
    }

    fn text_for_postgres(&self, sql: &str) -> String {
        let arrays: Vec<String> = (1..)
            .zip(&self.columns)
            .map(|(n, (_, cells))| format!("${n}::{}[]", cells.postgres_type()))
            .collect();
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        let rows = format!(
            "SELECT * FROM unnest({}) AS unnested ({})",
            arrays.join(", "),
            names.join(", ")
        );
        sql.replace("{rows}", &rows)
    }

    fn arrays(&self) -> Result<PgArguments, StoreError> {
        let mut arrays = PgArguments::default();
        for (_, cells) in &self.columns {
            match cells {
                Cells::Int(cells) => arrays.add(cells),
                Cells::Real(cells) => arrays.add(cells),
                Cells::Flag(cells) => arrays.add(cells),
                Cells::Text(cells) | Cells::Json(cells) => arrays.add(cells),
                Cells::Blob(cells) => arrays.add(cells),
            }
            .map_err(unwritable)?;
        }
        Ok(arrays)
    }
}

impl Cells<'_> {
    fn postgres_type(&self) -> &'static str {
        match self {
            Self::Int(_) => "bigint",
            Self::Real(_) => "double precision",
            Self::Flag(_) => "boolean",
            Self::Text(_) => "text",
            Self::Json(_) => "jsonb",
            Self::Blob(_) => "bytea",
        }
    }
}

fn unwritable(error: BoxDynError) -> StoreError {
    StoreError::from(sqlx::Error::Encode(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const SQL: &str = "WITH r AS ({rows}) SELECT n, t FROM r";

    fn many(numbers: &[i64]) -> Many<'_, i64> {
        Many::of(numbers).int("n", |n| *n).text("t", |_| None)
    }

    #[rstest]
    #[case(1, &[1])]
    #[case(2, &[8])]
    #[case(9, &[32])]
    #[case(32, &[32])]
    #[case(33, &[128])]
    #[case(300, &[128, 128, 128])]
    fn rows_go_in_statements_of_few_sizes(#[case] rows: i64, #[case] sizes: &[usize]) {
        let numbers: Vec<i64> = (0..rows).collect();
        let many = many(&numbers);
        let texts: Vec<String> = many.for_sqlite(SQL).map(|(text, _)| text).collect();
        let found: Vec<usize> = texts.iter().map(|text| text.matches("(?,?,?)").count()).collect();
        assert_eq!(found, sizes);
    }

    #[test]
    fn the_values_of_many_columns_stay_within_what_a_statement_takes() {
        let numbers = [1; 80];
        let wide = (0..20).fold(Many::of(&numbers), |many, _| many.int("n", |n| *n));
        assert!(
            wide.for_sqlite(SQL)
                .all(|(text, _)| text.matches('?').count() <= PARAMETERS)
        );
        assert_eq!(wide.for_sqlite(SQL).count(), 3);
    }

    #[test]
    fn postgres_gets_an_array_for_each_column() {
        let expected = "WITH r AS (SELECT * FROM unnest($1::bigint[], $2::text[]) AS unnested (n, t)) SELECT n, t FROM r";
        assert_eq!(many(&[1]).text_for_postgres(SQL), expected);
    }
}
