//! A deserializer over TOML values whose errors say which key, what is there and what should be.
//!
//! Two things differ from the one in `toml`: every error carries its dotted key, and an enum reads
//! from a table with `name = "..."` and the variant's settings beside it, or from the bare name.

use super::field_error::{FieldError, nameless};
use serde::de::value::BorrowedStrDeserializer;
use serde::de::{self, DeserializeOwned, DeserializeSeed, Error as _, Expected, Unexpected, Visitor};
use toml::{Table, Value};

/// Reads `T` from a table; keys in errors are relative to it.
pub(crate) fn from_table<T: DeserializeOwned>(table: &Table) -> Result<T, FieldError> {
    T::deserialize(Settings { table: Some(table), skip: None })
}

/// One value. Each hint takes what its visitors take and no more, so that these are not compiled for the rest.
struct Node<'de>(&'de Value);

impl<'de> Node<'de> {
    /// The error of what expects something else.
    fn refused(&self, expected: &dyn Expected) -> FieldError {
        let found = match self.0 {
            Value::String(text) => Unexpected::Str(text),
            Value::Integer(number) => Unexpected::Signed(*number),
            Value::Float(number) => Unexpected::Float(*number),
            Value::Boolean(flag) => Unexpected::Bool(*flag),
            Value::Datetime(_) => Unexpected::Other("a date"),
            Value::Array(_) => Unexpected::Seq,
            Value::Table(_) => Unexpected::Map,
        };
        FieldError::invalid_type(found, expected)
    }

    fn integer<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Integer(number) => visitor.visit_i64(*number),
            _ => Err(self.refused(&visitor)),
        }
    }

    fn text<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::String(text) => visitor.visit_borrowed_str(text),
            _ => Err(self.refused(&visitor)),
        }
    }

    fn array<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        let Value::Array(items) = self.0 else { return Err(self.refused(&visitor)) };
        let mut elements = Elements { items, next: 0 };
        let result = visitor.visit_seq(&mut elements)?;
        elements.end()?;
        Ok(result)
    }

    fn table<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Table(table) => visitor.visit_map(Entries::of(table)),
            _ => Err(self.refused(&visitor)),
        }
    }

    /// The variant of an enum, if this is what can be one.
    fn choice(&self) -> Result<Option<Choice<'de>>, FieldError> {
        let table = match self.0 {
            Value::String(name) => {
                return Ok(Some(Choice { name, key: "", settings: Settings { table: None, skip: None } }));
            }
            Value::Table(table) => table,
            _ => return Ok(None),
        };
        match table.get("name") {
            Some(Value::String(name)) => {
                let settings = Settings { table: Some(table), skip: Some("name") };
                Ok(Some(Choice { name, key: "name", settings }))
            }
            Some(other) => Err(Node(other).refused(&"a string").under("name")),
            None => Err(nameless(table.keys())),
        }
    }
}

impl<'de> de::Deserializer<'de> for Node<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::String(_) => self.text(visitor),
            Value::Integer(_) => self.integer(visitor),
            Value::Float(_) => self.deserialize_f64(visitor),
            Value::Boolean(_) => self.deserialize_bool(visitor),
            Value::Datetime(_) => Err(self.refused(&visitor)),
            Value::Array(_) => self.array(visitor),
            Value::Table(_) => self.table(visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            _ => Err(self.refused(&visitor)),
        }
    }

    fn deserialize_i32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.integer(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        match self.0 {
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            _ => Err(self.refused(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.text(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.text(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.array(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, FieldError> {
        self.array(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        self.table(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        self.table(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        v: V,
    ) -> Result<V::Value, FieldError> {
        v.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        match self.choice()? {
            Some(choice) => visitor.visit_enum(choice),
            None => Err(self.refused(&visitor)),
        }
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i128 u128 f32 char bytes byte_buf unit unit_struct tuple_struct identifier ignored_any
    }
}

/// A table, or none for a name that stands alone.
struct Settings<'de> {
    table: Option<&'de Table>,
    skip: Option<&'static str>,
}

impl<'de> de::Deserializer<'de> for Settings<'de> {
    type Error = FieldError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, FieldError> {
        visitor.visit_map(Entries { table: self.table.map(Table::iter), skip: self.skip, value: None })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

struct Entries<'de> {
    table: Option<toml::map::Iter<'de, String, Value>>,
    skip: Option<&'static str>,
    value: Option<(&'de str, &'de Value)>,
}

impl<'de> Entries<'de> {
    fn of(table: &'de Table) -> Self {
        Self { table: Some(table.iter()), skip: None, value: None }
    }

    /// The next key, whose value is then at hand.
    fn next_key(&mut self) -> Option<&'de str> {
        let skip = self.skip;
        let (key, value) = self.table.as_mut()?.find(|(key, _)| Some(key.as_str()) != skip)?;
        self.value = Some((key, value));
        Some(key)
    }
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = FieldError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, FieldError> {
        match self.next_key() {
            Some(key) => Ok(Some(seed.deserialize(BorrowedStrDeserializer::new(key))?)),
            None => Ok(None),
        }
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, FieldError> {
        let Some((key, value)) = self.value.take() else { return Err(keyless()) };
        match seed.deserialize(Node(value)) {
            Err(error) => Err(error.under(key)),
            read => read,
        }
    }
}

fn keyless() -> FieldError {
    FieldError::custom("a key before its value")
}

struct Elements<'de> {
    items: &'de [Value],
    next: usize,
}

impl<'de> Elements<'de> {
    fn next(&mut self) -> Option<&'de Value> {
        let item = self.items.get(self.next)?;
        self.next += 1;
        Some(item)
    }

    /// The error of the element that came last.
    fn of_last(&self, error: FieldError) -> FieldError {
        error.under(&format!("[{}]", self.next - 1))
    }

    /// Whether every element was read.
    fn end(&self) -> Result<(), FieldError> {
        if self.next == self.items.len() {
            return Ok(());
        }
        let expected = format!("an array of {}", self.next);
        Err(FieldError::invalid_length(self.items.len(), &expected.as_str()))
    }
}

impl<'de> de::SeqAccess<'de> for &mut Elements<'de> {
    type Error = FieldError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, FieldError> {
        match self.next() {
            None => Ok(None),
            Some(item) => match seed.deserialize(Node(item)) {
                Ok(read) => Ok(Some(read)),
                Err(error) => Err(self.of_last(error)),
            },
        }
    }
}

/// The variant of an enum by its name.
struct Choice<'de> {
    name: &'de str,
    key: &'static str,
    settings: Settings<'de>,
}

impl<'de> de::EnumAccess<'de> for Choice<'de> {
    type Error = FieldError;
    type Variant = Settings<'de>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Settings<'de>), FieldError> {
        let variant = seed.deserialize(BorrowedStrDeserializer::<FieldError>::new(self.name));
        Ok((variant.map_err(|error| error.under(self.key))?, self.settings))
    }
}

impl<'de> de::VariantAccess<'de> for Settings<'de> {
    type Error = FieldError;

    fn unit_variant(self) -> Result<(), FieldError> {
        let skip = self.skip;
        let mut keys = self.table.into_iter().flat_map(Table::keys);
        match keys.find(|key| Some(key.as_str()) != skip) {
            Some(key) => Err(FieldError::unknown_field(key, &[])),
            None => Ok(()),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, FieldError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, FieldError> {
        Err(FieldError::invalid_type(Unexpected::Map, &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, FieldError> {
        de::Deserializer::deserialize_any(self, visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        width: u32,
        rate: f64,
        list: Vec<u8>,
        pair: Option<(u8, u8)>,
        inner: Inner,
        choice: Choice,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        depth: u32,
    }

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(rename_all = "snake_case")]
    enum Choice {
        #[default]
        Plain,
        Deep(Inner),
        Wide {
            width: u32,
        },
    }

    fn read(text: &str) -> Result<Outer, String> {
        let table = text.parse::<Table>().expect("TOML");
        from_table(&table).map_err(|error| error.to_string())
    }

    #[test]
    fn values_are_read() {
        let outer = read("width = 3\nrate = 2\nlist = [1, 2]\npair = [3, 4]\ninner.depth = 5").unwrap();
        let inner = Inner { depth: 5 };
        let expected =
            Outer { width: 3, rate: 2.0, list: vec![1, 2], pair: Some((3, 4)), inner, choice: Choice::Plain };
        assert_eq!(outer, expected);
        assert_eq!(read("choice = 'deep'").unwrap().choice, Choice::Deep(Inner::default()));
        let deep = read("choice = { name = 'deep', depth = 2 }").unwrap().choice;
        assert_eq!(deep, Choice::Deep(Inner { depth: 2 }));
        assert_eq!(read("choice = { name = 'wide', width = 2 }").unwrap().choice, Choice::Wide { width: 2 });
    }

    #[test]
    fn every_fault_names_key_found_and_expected() {
        let cases = [
            (
                "widht = 3",
                "widht: found an unknown key, expected \"width\" (the nearest of width, rate, list, pair, inner, choice)",
            ),
            ("width = -1", "width: found integer -1, expected a whole number, 0 or more"),
            ("width = 'a'", "width: found string \"a\", expected a whole number, 0 or more"),
            ("width = 1.5", "width: found floating point 1.5, expected a whole number, 0 or more"),
            ("rate = true", "rate: found boolean true, expected a number"),
            ("rate = 2020-01-01", "rate: found a date, expected a number"),
            ("list = [1, 'a']", "list[1]: found string \"a\", expected a whole number, 0 or more"),
            ("list = 3", "list: found integer 3, expected an array"),
            ("pair = [1, 2, 3]", "pair: found an array of 3, expected an array of 2"),
            ("inner = 3", "inner: found integer 3, expected a table"),
            ("inner.dept = 3", "inner.dept: found an unknown key, expected \"depth\""),
            ("inner.depth = []", "inner.depth: found an array, expected a whole number, 0 or more"),
            (
                "choice = 'plan'",
                "choice: found the unknown name \"plan\", expected \"plain\" (the nearest of plain, deep, wide)",
            ),
            (
                "choice.name = 'dep'",
                "choice.name: found the unknown name \"dep\", expected \"deep\" (the nearest of plain, deep, wide)",
            ),
            ("choice.name = 3", "choice.name: found integer 3, expected a string"),
            ("choice.depth = 3", "choice.name: found nothing, expected this key, which has no default"),
            (
                "choice = { name = 'deep', depth = 'a' }",
                "choice.depth: found string \"a\", expected a whole number, 0 or more",
            ),
            (
                "choice = { name = 'plain', depth = 1 }",
                "choice.depth: found an unknown key, expected no further key",
            ),
            (
                "choice = { name = 'wide' }",
                "choice.width: found nothing, expected this key, which has no default",
            ),
            ("choice = 7", "choice: found integer 7, expected a name, or a table with a name"),
        ];
        for (text, message) in cases {
            assert_eq!(read(text).unwrap_err(), message, "{text}");
        }
    }
}
