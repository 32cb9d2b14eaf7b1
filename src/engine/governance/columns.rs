//! A table's columns and their types, as the catalogue spells them or a person does.

use crate::engine::names::{check_name, fold_ascii};
use crate::engine::sql::{Sql, sql};

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, in its own case.
    pub name: String,
    /// Its type.
    pub ty: ColumnType,
}

/// The type of a column, as far as masks and filters tell types apart (AWS: Data types).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `varchar(n)`, in bytes.
    Varchar(u32),
    /// `char(n)`: blanks at the end are no part of the value.
    Char(u32),
    /// `smallint`, `integer` or `bigint`, by its bytes.
    Integer(u8),
    /// `decimal(precision, scale)`
    Decimal(u8, u8),
    /// `real`
    Real,
    /// `double precision`
    Double,
    /// `boolean`
    Boolean,
    /// `date`
    Date,
    /// `timestamp`
    Timestamp,
    /// `timestamptz`
    TimestampTz,
    /// `time`
    Time,
    /// `timetz`
    TimeTz,
    /// `varbyte(n)`
    Varbyte(u32),
    /// `super`
    Super,
    /// `geometry`
    Geometry,
    /// `geography`
    Geography,
    /// `hllsketch`
    Hllsketch,
    /// `interval year to month`
    IntervalYearToMonth,
    /// `interval day to second`
    IntervalDayToSecond,
}

/// The longest `varchar` (AWS: Character types).
pub(super) const MAX_VARCHAR: u32 = 65_535;
const MAX_CHAR: u32 = 4_096;
const MAX_VARBYTE: u32 = 16_777_216;

impl ColumnType {
    /// Reads `varchar(100)`, `character varying(100)`, `numeric(18,2)`, `timestamp without time zone` and so on.
    pub fn read(text: &str) -> Option<Self> {
        let text = fold_ascii(text.trim());
        let (name, sizes) = match text.split_once('(') {
            None => (text.clone(), None),
            Some((name, rest)) => {
                let (sizes, after) = rest.split_once(')')?;
                (format!("{}{after}", name.trim_end()), Some(sizes.to_owned()))
            }
        };
        let name = name.split_whitespace().collect::<Vec<_>>().join(" ");
        Self::of(&name, sizes.as_deref())
    }

    /// Reads the type of an external table's column: in the words of Hive, as a data catalogue has them, or as a database
    /// that is federated spells it (AWS: CREATE EXTERNAL TABLE, SVV_EXTERNAL_COLUMNS). None: a nested one, or an unknown one.
    pub fn read_external(text: &str) -> Option<Self> {
        match fold_ascii(text.trim()).as_str() {
            "string" => Some(Self::Varchar(MAX_VARCHAR)),
            "tinyint" => Some(Self::Integer(2)),
            "float" => Some(Self::Real),
            "double" => Some(Self::Double),
            "decimal" => Some(Self::Decimal(10, 0)),
            "binary" => Some(Self::Varbyte(64_000)),
            other => Self::read(other),
        }
    }

    /// From a name without sizes, and what stands in its brackets.
    pub(super) fn of(name: &str, sizes: Option<&str>) -> Option<Self> {
        let one = |default: u32, most: u32| match sizes.map(str::trim) {
            None => Some(default),
            Some("max") => Some(most),
            Some(text) => text.parse::<u32>().ok().filter(|size| (1..=most).contains(size)),
        };
        let plain = |ty: Self| sizes.is_none().then_some(ty);
        match name {
            "varchar" | "character varying" | "nvarchar" | "text" => one(256, MAX_VARCHAR).map(Self::Varchar),
            "char" | "character" | "nchar" => one(1, MAX_CHAR).map(Self::Char),
            "bpchar" => one(256, MAX_CHAR).map(Self::Char),
            "smallint" | "int2" => plain(Self::Integer(2)),
            "integer" | "int" | "int4" => plain(Self::Integer(4)),
            "bigint" | "int8" => plain(Self::Integer(8)),
            "decimal" | "numeric" => decimal(sizes),
            "real" | "float4" => plain(Self::Real),
            "double precision" | "float8" | "float" => plain(Self::Double),
            "boolean" | "bool" => plain(Self::Boolean),
            "date" => plain(Self::Date),
            "timestamp" | "timestamp without time zone" => plain(Self::Timestamp),
            "timestamptz" | "timestamp with time zone" => plain(Self::TimestampTz),
            "time" | "time without time zone" => plain(Self::Time),
            "timetz" | "time with time zone" => plain(Self::TimeTz),
            "varbyte" | "varbinary" | "binary varying" => one(64_000, MAX_VARBYTE).map(Self::Varbyte),
            "super" => plain(Self::Super),
            "geometry" => plain(Self::Geometry),
            "geography" => plain(Self::Geography),
            "hllsketch" => plain(Self::Hllsketch),
            "interval year to month" => plain(Self::IntervalYearToMonth),
            "interval day to second" => plain(Self::IntervalDayToSecond),
            _ => None,
        }
    }

    /// The type as it is written in SQL.
    pub(super) fn sql(self) -> Sql {
        match self {
            Self::Varchar(size) => sql!("varchar({})", size),
            Self::Char(size) => sql!("char({})", size),
            Self::Integer(2) => sql!("smallint"),
            Self::Integer(4) => sql!("integer"),
            Self::Integer(_) => sql!("bigint"),
            Self::Decimal(precision, scale) => sql!("decimal({}, {})", u32::from(precision), u32::from(scale)),
            Self::Real => sql!("real"),
            Self::Double => sql!("double precision"),
            Self::Boolean => sql!("boolean"),
            Self::Date => sql!("date"),
            Self::Timestamp => sql!("timestamp"),
            Self::TimestampTz => sql!("timestamptz"),
            Self::Time => sql!("time"),
            Self::TimeTz => sql!("timetz"),
            Self::Varbyte(size) => sql!("varbyte({})", size),
            Self::Super => sql!("super"),
            Self::Geometry => sql!("geometry"),
            Self::Geography => sql!("geography"),
            Self::Hllsketch => sql!("hllsketch"),
            Self::IntervalYearToMonth => sql!("interval year to month"),
            Self::IntervalDayToSecond => sql!("interval day to second"),
        }
    }

    /// Whether it holds text.
    pub(super) fn is_text(self) -> bool {
        matches!(self, Self::Varchar(_) | Self::Char(_))
    }

    /// Whether it holds days or moments.
    pub(super) fn is_date_or_moment(self) -> bool {
        matches!(self, Self::Date | Self::Timestamp | Self::TimestampTz)
    }
}

/// As it is written in SQL.
impl std::fmt::Display for ColumnType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.sql().fmt(f)
    }
}

/// `decimal` alone is `decimal(18, 0)` (AWS: Numeric types).
fn decimal(sizes: Option<&str>) -> Option<ColumnType> {
    let (precision, scale) = match sizes {
        None => (18, 0),
        Some(sizes) => match sizes.split_once(',') {
            None => (sizes.trim().parse().ok()?, 0),
            Some((precision, scale)) => (precision.trim().parse().ok()?, scale.trim().parse().ok()?),
        },
    };
    ((1..=38).contains(&precision) && scale <= precision).then_some(ColumnType::Decimal(precision, scale))
}

/// A column read from a name and the text of its type; the error says which of the two is wrong.
pub fn column(name: &str, ty: &str) -> Result<Column, String> {
    check_name(name).map_err(|error| format!("The column's name {name:?} is not possible: {error}."))?;
    let known = ColumnType::read(ty).ok_or_else(|| {
        format!(
            "`{ty}` is no type of a column: write it as SVV_COLUMNS shows it, such as `varchar(100)`, `integer`, \
             `decimal(18,2)` or `timestamp`."
        )
    })?;
    Ok(Column { name: name.to_owned(), ty: known })
}

/// The column of this name: the one spelt so, else the only one whose name differs in case alone.
pub(super) fn find<'c>(columns: &'c [Column], name: &str) -> Option<&'c Column> {
    let folded = fold_ascii(name);
    let mut alike = columns.iter().filter(|column| fold_ascii(&column.name) == folded);
    let exact = columns.iter().find(|column| column.name == name);
    exact.or_else(|| alike.next().filter(|_| alike.next().is_none()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_in_every_spelling() {
        for (text, ty, sql) in [
            ("varchar(100)", ColumnType::Varchar(100), "varchar(100)"),
            ("CHARACTER VARYING(100)", ColumnType::Varchar(100), "varchar(100)"),
            ("varchar", ColumnType::Varchar(256), "varchar(256)"),
            ("varchar(max)", ColumnType::Varchar(65_535), "varchar(65535)"),
            ("char(3)", ColumnType::Char(3), "char(3)"),
            ("int", ColumnType::Integer(4), "integer"),
            ("smallint", ColumnType::Integer(2), "smallint"),
            ("numeric(18,2)", ColumnType::Decimal(18, 2), "decimal(18, 2)"),
            ("decimal", ColumnType::Decimal(18, 0), "decimal(18, 0)"),
            ("timestamp without time zone", ColumnType::Timestamp, "timestamp"),
            ("timestamp  with time zone", ColumnType::TimestampTz, "timestamptz"),
            ("double precision", ColumnType::Double, "double precision"),
            ("super", ColumnType::Super, "super"),
        ] {
            assert_eq!(ColumnType::read(text), Some(ty), "{text}");
            assert_eq!(ty.sql().to_string(), sql);
            assert_eq!(ColumnType::read(sql), Some(ty), "what is written reads back");
        }
        for text in
            ["", "int)", "varchar(0)", "varchar(65536)", "decimal(39)", "decimal(3,4)", "money", "int(4)", "x; y"]
        {
            assert_eq!(ColumnType::read(text), None, "{text}");
        }
    }

    #[test]
    fn types_of_external_tables_are_read_in_the_words_of_hive() {
        for (text, ty) in [
            ("string", ColumnType::Varchar(65_535)),
            ("tinyint", ColumnType::Integer(2)),
            ("int", ColumnType::Integer(4)),
            ("float", ColumnType::Real),
            ("double", ColumnType::Double),
            ("decimal", ColumnType::Decimal(10, 0)),
            ("decimal(8,2)", ColumnType::Decimal(8, 2)),
            ("Binary", ColumnType::Varbyte(64_000)),
            ("varchar(5)", ColumnType::Varchar(5)),
            // Of a federated database.
            ("character varying(20)", ColumnType::Varchar(20)),
        ] {
            assert_eq!(ColumnType::read_external(text), Some(ty), "{text}");
        }
        for text in ["array<int>", "struct<a:int>", "map<string,int>", "uniontype<int>", ""] {
            assert_eq!(ColumnType::read_external(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_is_found_as_spelt_and_else_in_any_case_if_that_is_one() {
        let columns = ["Email", "email", "Id"].map(|name| column(name, "integer").expect("a column"));
        assert_eq!(find(&columns, "email").map(|c| c.name.as_str()), Some("email"));
        assert_eq!(find(&columns, "ID").map(|c| c.name.as_str()), Some("Id"));
        assert_eq!(find(&columns, "EMAIL"), None, "two of them");
        assert_eq!(find(&columns, "x"), None);
    }
}
