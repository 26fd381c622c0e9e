//! No circle of files, and none of folders: what a file uses never uses that file.
//!
//! Reads `use` items and paths in code; a name that is re-exported belongs to the file that defines it. Tests and the crate's root are
//! left out, and so are methods, which have no path.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use syn::visit::{self, Visit};

/// A module, which is a file: `["data", "table"]`.
type Module = Vec<String>;

/// One definition in several files: a device's `Kernels` have portable bodies, which are written in `Mode`s, which compute with `Kernels`.
const ONE_DEFINITION: [&str; 13] = [
    "tensor::checkpoint",
    "tensor::compose",
    "tensor::composed",
    "tensor::dropout",
    "tensor::forward",
    "tensor::kernels",
    "tensor::mode",
    "tensor::plain",
    "tensor::portable",
    "tensor::resample",
    "tensor::reshape",
    "tensor::rows",
    "tensor::update",
];

#[test]
fn no_file_is_used_by_what_it_uses() {
    let sources = sources();
    let arrows = arrows(&sources);
    assert!(arrows.len() > 200, "{} files use others", arrows.len());
    let known: BTreeSet<String> = ONE_DEFINITION.map(str::to_owned).into();
    for circle in circles(&arrows) {
        assert!(circle == known, "a circle of files: {}", circle.into_iter().collect::<Vec<_>>().join(", "));
    }
}

#[test]
fn no_folder_is_used_by_what_it_uses() {
    let head = |path: &String| path.split("::").next().unwrap_or_default().to_owned();
    let mut folders: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows(&sources()) {
        let others = to.iter().map(head).filter(|other| *other != head(&from));
        folders.entry(head(&from)).or_default().extend(others);
    }
    assert_eq!(circles(&folders), Vec::<BTreeSet<String>>::new());
}

/// The arrows of the circle, and of it alone, are found whatever way they are written in.
#[test]
fn the_reader_sees_a_circle() {
    let source = |name: &str, text: &str| (vec![name.to_owned()], Source::read(text));
    let sources = BTreeMap::from([
        source("a", "mod inner { } pub use crate::b::Kept as Renamed; fn f() { crate::c::g(vec![1]) }"),
        source(
            "b",
            "use crate::{error::Error, d::{self, D}}; pub struct Kept; #[cfg(test)] mod tests { use crate::e::E; }",
        ),
        source("c", "use super::a::Renamed; pub fn g() {}"),
        source("d", "pub struct D; fn h() { println!(\"{}\", super::b::K) }"),
        source("e", "use crate::a::*;"),
    ]);
    // `c` takes from `a` what `b` defines, so that `a` and `c` are no circle.
    let expected = [("a", "c"), ("b", "d"), ("c", "b"), ("d", "b"), ("e", "a")];
    let found = arrows(&sources);
    let found: Vec<(&str, &str)> =
        found.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.as_str(), to.as_str()))).collect();
    assert_eq!(found, expected);
    assert_eq!(circles(&arrows(&sources)), [BTreeSet::from(["b".to_owned(), "d".to_owned()])]);
}

/// What a file defines and names.
#[derive(Default)]
struct Source {
    defined: BTreeSet<String>,
    /// The names that `use` brings, with the whole path of each.
    uses: Vec<(String, Vec<String>, bool)>,
    paths: Vec<Vec<String>>,
}

impl Source {
    fn read(text: &str) -> Self {
        let mut source = Self::default();
        source.visit_file(&syn::parse_file(text).expect("Rust"));
        source
    }

    fn tree(&mut self, before: &[String], tree: &syn::UseTree, public: bool) {
        let with = |name: &syn::Ident| [before, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.tree(&with(&path.ident), &path.tree, public),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.tree(before, tree, public)),
            syn::UseTree::Glob(_) => self.uses.push(("*".to_owned(), before.to_vec(), public)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                self.uses.push((before.last().cloned().unwrap_or_default(), before.to_vec(), public));
            }
            syn::UseTree::Name(name) => self.uses.push((name.ident.to_string(), with(&name.ident), public)),
            syn::UseTree::Rename(name) => {
                self.uses.push((name.rename.to_string(), with(&name.ident), public));
            }
        }
    }
}

fn is_test(attributes: &[syn::Attribute]) -> bool {
    let test = |list: &syn::MetaList| list.tokens.to_string() == "test";
    attributes.iter().any(|own| own.path().is_ident("cfg") && own.meta.require_list().is_ok_and(test))
}

impl<'ast> Visit<'ast> for Source {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        let (name, attributes) = match item {
            syn::Item::Fn(item) => (Some(&item.sig.ident), &item.attrs),
            syn::Item::Struct(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Enum(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Trait(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Type(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Const(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Static(item) => (Some(&item.ident), &item.attrs),
            syn::Item::Mod(item) => (None, &item.attrs),
            syn::Item::Impl(item) => (None, &item.attrs),
            syn::Item::Macro(item) => (item.ident.as_ref(), &item.attrs),
            _ => return visit::visit_item(self, item),
        };
        if !is_test(attributes) {
            self.defined.extend(name.map(ToString::to_string));
            visit::visit_item(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        if !is_test(&item.attrs) {
            self.tree(&[], &item.tree, !matches!(item.vis, syn::Visibility::Inherited));
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let parts: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if parts.len() > 1 {
            self.paths.push(parts);
        }
        visit::visit_path(self, path);
    }

    /// The arguments of a macro are no syntax, so that its paths are read word by word.
    fn visit_macro(&mut self, own: &'ast syn::Macro) {
        let text = own.tokens.to_string().replace(" :: ", "::");
        let words = text.split(|c: char| !(c.is_alphanumeric() || "_:".contains(c)));
        let paths = words.filter(|word| word.contains("::"));
        self.paths.extend(
            paths.map(|path| path.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()),
        );
    }
}

fn sources() -> BTreeMap<Module, Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let relative = path.strip_prefix(&src).expect("below src").with_extension("");
                let mut module: Module =
                    relative.iter().map(|part| part.to_string_lossy().into_owned()).collect();
                if module.last().is_some_and(|last| last == "mod") {
                    module.pop();
                }
                let left_out = ["lib", "main", "tests"].contains(&module.last().map_or("", String::as_str));
                if !left_out {
                    found.insert(module, Source::read(&fs::read_to_string(&path).expect("UTF-8")));
                }
            }
        }
    }
    found
}

/// A path seen from `module` as one from the crate's root, if it is of the crate.
fn absolute(sources: &BTreeMap<Module, Source>, module: &[String], path: &[String]) -> Option<Vec<String>> {
    match path.first()?.as_str() {
        "crate" => Some(path[1..].to_vec()),
        "self" => Some([module, &path[1..]].concat()),
        "super" => {
            let up = path.iter().take_while(|part| *part == "super").count();
            Some([module.get(..module.len().checked_sub(up)?)?, &path[up..]].concat())
        }
        first => {
            let child = [module, &[first.to_owned()]].concat();
            sources.contains_key(&child).then(|| [module, path].concat())
        }
    }
}

/// The file that defines what a path from the root names.
fn file_of(sources: &BTreeMap<Module, Source>, path: &[String], depth: usize) -> Option<Module> {
    let length = (1..=path.len()).rev().find(|length| sources.contains_key(&path[..*length]))?;
    let module = path[..length].to_vec();
    let (source, Some(name)) = (&sources[&module], path.get(length)) else { return Some(module) };
    if depth == 0 || source.defined.contains(name) {
        return Some(module);
    }
    for (own, target, _) in
        source.uses.iter().filter(|(own, _, public)| *public && (own == name || own == "*"))
    {
        let Some(target) = absolute(sources, &module, target) else { continue };
        let whole = if own == "*" {
            [&target, &path[length..]].concat()
        } else {
            [&target, &path[length + 1..]].concat()
        };
        let found = file_of(sources, &whole, depth - 1);
        if found.as_ref().is_some_and(|found| own == name || sources[found].defined.contains(name)) {
            return found;
        }
    }
    Some(module)
}

/// The files that each file uses. What it passes on alone is no use.
fn arrows(sources: &BTreeMap<Module, Source>) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, source) in sources {
        let own = source.uses.iter().filter(|(.., public)| !public).map(|(_, path, _)| path);
        for path in own.chain(&source.paths) {
            let Some(path) = absolute(sources, module, path) else { continue };
            match file_of(sources, &path, 8) {
                Some(target) if target != *module => {
                    found.entry(module.join("::")).or_default().insert(target.join("::"));
                }
                _ => {}
            }
        }
    }
    found
}

/// The sets of files that all reach each other.
fn circles(arrows: &BTreeMap<String, BTreeSet<String>>) -> Vec<BTreeSet<String>> {
    let reached = |from: &String| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(at) = next.pop() {
            next.extend(arrows.get(at).into_iter().flatten().filter(|to| seen.insert((*to).clone())));
        }
        seen
    };
    let reach: BTreeMap<&String, BTreeSet<String>> =
        arrows.keys().map(|from| (from, reached(from))).collect();
    let mut found: Vec<BTreeSet<String>> = Vec::new();
    for (from, to) in reach.iter().filter(|(from, to)| to.contains(**from)) {
        let back = |other: &&String| reach.get(other).is_some_and(|reached| reached.contains(*from));
        let circle: BTreeSet<String> = to.iter().filter(back).cloned().collect();
        if !found.contains(&circle) {
            found.push(circle);
        }
    }
    found
}
