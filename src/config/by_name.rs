//! Enums that TOML chooses by name, with the variant's settings beside the name.

/// Gives an enum serde's two traits: it reads from `"name"` or `{ name = "name", ... }` and writes
/// the table, the variants' names in snake case unless an attribute renames one. Unit variants first, then those with settings.
macro_rules! by_name {
    ($type:ident { $($unit:ident),* ; $($(#[$name:meta])* $variant:ident($settings:ty)),* }) => {
        #[allow(clippy::enum_variant_names)]
        const _: () = {
            #[derive(serde::Deserialize)]
            #[serde(rename_all = "snake_case")]
            enum Read { $($unit,)* $($(#[$name])* $variant($settings),)* }

            #[derive(serde::Serialize)]
            #[serde(tag = "name", rename_all = "snake_case")]
            enum Written { $($unit,)* $($(#[$name])* $variant($settings),)* }

            impl<'de> serde::Deserialize<'de> for $type {
                fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                    Ok(match <Read as serde::Deserialize>::deserialize(deserializer)? {
                        $(Read::$unit => Self::$unit,)*
                        $(Read::$variant(settings) => Self::$variant(settings),)*
                    })
                }
            }

            impl serde::Serialize for $type {
                fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                    let written = match self {
                        $(Self::$unit => Written::$unit,)*
                        $(Self::$variant(settings) => Written::$variant(settings.clone()),)*
                    };
                    serde::Serialize::serialize(&written, serializer)
                }
            }
        };
    };
}
pub(super) use by_name;
