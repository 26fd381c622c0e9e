//! Settings as TOML: first their content, then the text or table of it. So what serde derives for a
//! type is compiled once, and not once for each of the serializers that TOML's text and table have.

use crate::error::{Error, Result};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Serialize, Serializer};
use serde_content::{Data, Number, Value};
use std::borrow::Cow;
use toml::value::Datetime;

/// The settings as text, keys in the order of the type's fields.
pub(crate) fn to_text(settings: &impl Serialize) -> Result<String> {
    toml::to_string(&Item::of(&content(settings)?)).map_err(refused)
}

/// The settings as a table, keys sorted.
pub(crate) fn to_table(settings: &impl Serialize) -> Result<toml::Table> {
    toml::Table::try_from(Item::of(&content(settings)?)).map_err(refused)
}

fn content(settings: &impl Serialize) -> Result<Value<'static>> {
    serde_content::Serializer::new().human_readable().serialize(settings).map_err(refused)
}

fn refused(error: impl std::fmt::Display) -> Error {
    Error::value("recipe", error.to_string().replace('\n', " "), "values that TOML can hold")
}

/// Content as TOML tells it apart: a structure is a table, and a variant its name, or a table of it.
enum Item<'a> {
    Nothing,
    Unit(&'static str),
    Flag(bool),
    Integer(i64),
    Whole(u64),
    Short(f32),
    Float(f64),
    Letter(char),
    Text(&'a str),
    Bytes(&'a [u8]),
    Date(Datetime),
    Array(Vec<Self>),
    Table(Vec<(&'a str, Self)>),
    Refused(&'static str),
}

impl<'a> Item<'a> {
    fn of(value: &'a Value<'a>) -> Self {
        match value {
            Value::Unit => Self::Unit("unit"),
            Value::Bool(flag) => Self::Flag(*flag),
            Value::Number(number) => Self::of_number(*number),
            Value::Char(letter) => Self::Letter(*letter),
            Value::String(text) => Self::Text(text),
            Value::Bytes(bytes) => Self::Bytes(bytes),
            Value::Seq(values) | Value::Tuple(values) => Self::of_values(values),
            Value::Option(None) => Self::Nothing,
            Value::Option(Some(value)) => Self::of(value),
            Value::Map(entries) => Self::of_map(entries),
            Value::Struct(inner) => match (&inner.data, &inner.name) {
                (Data::Unit, Cow::Borrowed(name)) => Self::Unit(name),
                (data, _) => Self::of_data(data),
            },
            Value::Enum(inner) => match &inner.data {
                Data::Unit => Self::Text(&inner.variant),
                data => Self::Table(vec![(&*inner.variant, Self::of_data(data))]),
            },
        }
    }

    fn of_number(number: Number) -> Self {
        match number {
            Number::I8(number) => Self::Integer(number.into()),
            Number::I16(number) => Self::Integer(number.into()),
            Number::I32(number) => Self::Integer(number.into()),
            Number::I64(number) => Self::Integer(number),
            Number::U8(number) => Self::Integer(number.into()),
            Number::U16(number) => Self::Integer(number.into()),
            Number::U32(number) => Self::Integer(number.into()),
            Number::U64(number) => Self::Whole(number),
            Number::F32(number) => Self::Short(number),
            Number::F64(number) => Self::Float(number),
            _ => Self::Refused("unsupported number of 128 bits"),
        }
    }

    fn of_values(values: &'a [Value<'a>]) -> Self {
        Self::Array(values.iter().map(Self::of).collect())
    }

    fn of_map(entries: &'a [(Value<'a>, Value<'a>)]) -> Self {
        let mut fields = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            match Self::of(key) {
                Self::Text(key) => fields.push((key, Self::of(value))),
                _ => return Self::Refused("map key was not a string"),
            }
        }
        Self::Table(fields)
    }

    fn of_data(data: &'a Data<'a>) -> Self {
        match data {
            Data::Unit => Self::Unit("unit"),
            Data::NewType { value } => Self::of(value),
            Data::Tuple { values } => Self::of_values(values),
            Data::Struct { fields } => match &fields[..] {
                [(key, Value::String(text))] if key == DATE => {
                    text.parse().map_or(Self::Refused("a serialized date was invalid"), Self::Date)
                }
                _ => Self::Table(fields.iter().map(|(key, value)| (&**key, Self::of(value))).collect()),
            },
        }
    }
}

/// The only field of a date, as `toml` writes it for serde.
const DATE: &str = "$__toml_private_datetime";

impl Serialize for Item<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => serializer.serialize_none(),
            Self::Unit("unit") => serializer.serialize_unit(),
            Self::Unit(name) => serializer.serialize_unit_struct(name),
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Integer(number) => serializer.serialize_i64(*number),
            Self::Whole(number) => serializer.serialize_u64(*number),
            Self::Short(number) => serializer.serialize_f32(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Letter(letter) => serializer.serialize_char(*letter),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::Date(date) => date.serialize(serializer),
            Self::Refused(why) => Err(S::Error::custom(why)),
            Self::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                for item in items {
                    array.serialize_element(item)?;
                }
                array.end()
            }
            Self::Table(fields) => {
                let mut table = serializer.serialize_map(Some(fields.len()))?;
                for (key, item) in fields {
                    table.serialize_entry(*key, item)?;
                }
                table.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Data, Named, OwnRows, Recipe, Stage};
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Serialize, Deserialize)]
    enum Choice {
        Plain,
        Deep(u8),
        Pair(u8, f32),
        Wide { letter: char },
    }

    #[derive(Serialize, Deserialize)]
    struct Wrapped(i16);

    /// What an own network's settings may be.
    #[derive(Serialize, Deserialize)]
    struct Settings {
        inner: BTreeMap<String, Vec<Option<u8>>>,
        none: Option<u8>,
        choices: Vec<Choice>,
        short: f32,
        wrapped: Wrapped,
        tables: Vec<BTreeMap<String, i64>>,
        when: toml::value::Datetime,
        last: (bool, u64),
    }

    fn settings(whole: u64) -> Settings {
        Settings {
            inner: [("a b".to_owned(), vec![Some(1), Some(2)])].into(),
            none: None,
            choices: vec![Choice::Plain, Choice::Deep(1), Choice::Pair(2, 0.1), Choice::Wide { letter: 'x' }],
            short: 0.1,
            wrapped: Wrapped(-3),
            tables: vec![[("b".to_owned(), 1), ("a".to_owned(), 2)].into(), BTreeMap::new()],
            when: "2020-01-02T03:04:05Z".parse().unwrap(),
            last: (true, whole),
        }
    }

    fn recipes() -> [Recipe; 2] {
        let of = "rows".to_owned();
        let rows = OwnRows { of, shape: Some([1, 2, 3]), levels: None, columns: None, conditions: 0 };
        let when: toml::value::Datetime = "2020-01-02".parse().unwrap();
        let network = Named::new("own").with("when", when).with("list", vec![0.5, f64::NAN]);
        let mut recipe = Recipe::new(Data::Program(rows), network);
        recipe.stage = vec![Stage::default(), Stage { steps: 3, ..Stage::default() }];
        recipe.evaluation.dequantizers = vec![Named::new("uniform").with("gamma", -11.0)];
        [recipe, Recipe::new(Data::TwoPixel, Named::new("mlp"))]
    }

    /// The table is that of TOML, or the error is.
    fn same(own: &impl Serialize) {
        let expected = toml::Table::try_from(own).map_err(|error| refused(error).to_string());
        assert_eq!(to_table(own).map_err(|error| error.to_string()), expected);
    }

    #[test]
    fn texts_and_tables_are_those_of_toml() {
        for recipe in recipes() {
            assert_eq!(to_text(&recipe).unwrap(), toml::to_string(&recipe).unwrap());
            let expected = toml::Table::try_from(&recipe).unwrap();
            assert_eq!(to_table(&recipe).unwrap().to_string(), expected.to_string());
        }
        let own = settings(7);
        same(&own);
        assert_eq!(to_text(&own).unwrap(), toml::to_string(&own).unwrap());
        let hole = BTreeMap::from([("a", vec![None, Some(1)])]);
        same(&settings(u64::MAX));
        same(&hole);
        same(&BTreeMap::from([(1, 2)]));
        same(&());
        same(&7);
    }
}
