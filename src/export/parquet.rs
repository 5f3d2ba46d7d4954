//! Parquet: columns of real types, each nullable, compressed with zstd. Rows are held back until there
//! are enough for a row group, since a file has its columns one after the other.

use std::io::{self, Write};
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::Type;

use super::view::View;
use super::{Cell, Kind, Writer};

/// Rows of a row group: bounds the memory, at some 10 MB.
const ROWS: usize = 65_536;

const MICROSECONDS: i64 = 1_000_000;

pub(super) struct Parquet<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: usize,
}

/// The values of a column that are held back, and for each row whether it has one (1 or 0).
struct Column {
    values: Values,
    present: Vec<i16>,
}

enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Real(Vec<f64>),
    Boolean(Vec<bool>),
    Day(Vec<i32>),
    Instant(Vec<i64>),
}

impl<W: Write + Send> Parquet<W> {
    pub(super) fn begin(view: &View, to: W) -> io::Result<Self> {
        let schema = schema(view).map_err(broken)?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(Default::default()))
            // For a page they would be held in memory until the end of the file.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_created_by(concat!("soundwatch ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties)).map_err(broken)?;
        Ok(Self {
            file,
            columns: view.columns.iter().map(|(_, kind)| Column::new(*kind)).collect(),
            rows: 0,
        })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            column.write(&mut group)?;
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Writer for Parquet<W> {
    fn row(&mut self, cells: &[Cell<'_>]) -> io::Result<()> {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.push(*cell)?;
        }
        self.rows += 1;
        if self.rows == ROWS {
            self.write_group().map_err(broken)?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        if self.rows > 0 {
            self.write_group().map_err(broken)?;
        }
        self.file.finish().map(drop).map_err(broken)
    }
}

impl Column {
    fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Text => Values::Text(Vec::new()),
            Kind::Integer => Values::Integer(Vec::new()),
            Kind::Real => Values::Real(Vec::new()),
            Kind::Boolean => Values::Boolean(Vec::new()),
            Kind::Day => Values::Day(Vec::new()),
            Kind::Instant => Values::Instant(Vec::new()),
        };
        let present = Vec::new();
        Self { values, present }
    }

    fn push(&mut self, cell: Cell<'_>) -> io::Result<()> {
        match (&mut self.values, cell) {
            (_, Cell::Null) => {}
            (Values::Text(texts), Cell::Text(text)) => {
                // Rows of one sound follow each other: its title is held once.
                let same = texts.last().filter(|last| last.data() == text.as_bytes());
                texts.push(same.cloned().unwrap_or_else(|| ByteArray::from(text)));
            }
            (Values::Integer(values), Cell::Integer(n)) => values.push(n),
            (Values::Real(values), Cell::Real(n)) => values.push(n),
            (Values::Boolean(values), Cell::Boolean(yes)) => values.push(yes),
            (Values::Day(values), Cell::Day(day)) => {
                values.push(i32::try_from(day).map_err(io::Error::other)?);
            }
            (Values::Instant(values), Cell::Instant(at)) => values.push(at.saturating_mul(MICROSECONDS)),
            (_, cell) => return Err(io::Error::other(format!("{cell:?} is not of its column's type"))),
        }
        self.present.push(i16::from(cell != Cell::Null));
        Ok(())
    }

    /// Writes what is held back as the group's next column, and forgets it.
    fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let Some(mut column) = group.next_column()? else {
            return Err(ParquetError::General("a row has too many columns".to_owned()));
        };
        let present = &self.present;
        match &mut self.values {
            Values::Text(values) => write::<ByteArrayType>(&mut column, values, present),
            Values::Integer(values) | Values::Instant(values) => {
                write::<Int64Type>(&mut column, values, present)
            }
            Values::Real(values) => write::<DoubleType>(&mut column, values, present),
            Values::Boolean(values) => write::<BoolType>(&mut column, values, present),
            Values::Day(values) => write::<Int32Type>(&mut column, values, present),
        }?;
        self.present.clear();
        column.close()
    }
}

fn write<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    present: &[i16],
) -> Result<(), ParquetError> {
    column.typed::<T>().write_batch(values, Some(present), None)?;
    values.clear();
    Ok(())
}

fn schema(view: &View) -> Result<Type, ParquetError> {
    let field = |(name, kind): &(&str, Kind)| {
        let (physical, logical) = match kind {
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
            Kind::Integer => (Physical::INT64, None),
            Kind::Real => (Physical::DOUBLE, None),
            Kind::Boolean => (Physical::BOOLEAN, None),
            Kind::Day => (Physical::INT32, Some(LogicalType::Date)),
            Kind::Instant => (
                Physical::INT64,
                Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
            ),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL);
        field.build().map(Arc::new)
    };
    let fields: Result<Vec<_>, _> = view.columns.iter().map(field).collect();
    Type::group_type_builder(view.name).with_fields(fields?).build()
}

/// The error of the file beneath, where it was one.
fn broken(error: ParquetError) -> io::Error {
    match error {
        ParquetError::External(cause) => match cause.downcast::<io::Error>() {
            Ok(cause) => *cause,
            Err(cause) => io::Error::other(cause),
        },
        other => io::Error::other(other),
    }
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::{ALL_KINDS, sample};
    use super::*;
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::Field;
    use parquet::schema::printer::print_schema;

    fn file(rows: usize) -> SerializedFileReader<std::fs::File> {
        let mut file = tempfile::tempfile().unwrap();
        let mut parquet = Box::new(Parquet::begin(&ALL_KINDS, &mut file).unwrap());
        for n in 0..rows {
            match n % 3 {
                0 => parquet.row(&[Cell::Null; 6]).unwrap(),
                _ => parquet.row(&sample("=a")).unwrap(),
            }
        }
        parquet.finish().unwrap();
        SerializedFileReader::new(file).unwrap()
    }

    #[test]
    fn columns_have_real_types_and_can_be_null() {
        let mut schema = Vec::new();
        print_schema(&mut schema, file(1).metadata().file_metadata().schema());
        insta::assert_snapshot!(String::from_utf8(schema).unwrap(), @"
        message all_kinds {
          OPTIONAL BYTE_ARRAY text (STRING);
          OPTIONAL INT64 integer;
          OPTIONAL DOUBLE real;
          OPTIONAL BOOLEAN boolean;
          OPTIONAL INT32 day (DATE);
          OPTIONAL INT64 instant (TIMESTAMP(MICROS,true));
        }
        ");
    }

    #[test]
    fn rows_come_back_from_groups_of_bounded_size() {
        let file = file(ROWS + 2);
        let sizes: Vec<_> = file
            .metadata()
            .row_groups()
            .iter()
            .map(|group| group.num_rows())
            .collect();
        assert_eq!(sizes, [65_536, 2]);
        let rows = file.get_row_iter(None).unwrap().map(Result::unwrap);
        let rows: Vec<Vec<Field>> = rows
            .map(|row| row.into_columns().into_iter().map(|(_, f)| f).collect())
            .collect();
        assert_eq!(rows.len(), ROWS + 2);
        assert_eq!(rows[ROWS - 1], vec![Field::Null; 6]);
        let expected = [
            Field::Str("=a".to_owned()),
            Field::Long(-7),
            Field::Double(1.0),
            Field::Bool(true),
            Field::Date(20_487),
            Field::TimestampMicros(1_770_099_301_000_000),
        ];
        assert_eq!(rows[ROWS], expected);
    }
}
