//! CSV as programs write it, and everything that is wrong with one.

use crate::{choice, names, put, read, refused};
use idode::data::table::{Choice, Spec, Table, TableFile};
use idode::error::Result;
use tempfile::TempDir;

/// A file of its own for every text.
struct Text {
    folder: TempDir,
}

impl Text {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn read(&self, text: impl AsRef<[u8]>) -> Result<Table> {
        read(&put(self.folder.path(), "t.csv", text))
    }

    fn pick(&self, text: &str, choice: &Choice) -> Result<Table> {
        Table::read(&TableFile::new(put(self.folder.path(), "t.csv", text)), None, choice)
    }

    fn line<T>(&self, result: Result<T>) -> String {
        refused(result, &self.folder.path().join("t.csv"))
    }

    fn refuse(&self, text: impl AsRef<[u8]>) -> String {
        self.line(self.read(text))
    }
}

#[test]
fn delimiters_headers_and_line_ends() {
    let text = Text::new();
    for content in [
        "a,b\n1,2\n3,-4.5e1\n",
        "a;b\n1;2\n3;-45\n",
        "a\tb\r\n1\t2\r\n3\t-45",
        "\u{feff}a,b\n1,2\n3,-45\n",
        "\"a\" , \"b\"\n 1, 2 \n\"3\",-45\n",
        "\n\na,b\n\n1,2\n\n3,-45\n\n",
        "a,b\r1,2\r3,-45\r",
    ] {
        let table = text.read(content).unwrap();
        assert_eq!((table.columns(), table.values()), (&names(&["a", "b"])[..], &[1.0, 2.0, 3.0, -45.0][..]));
    }
    // No cell of the first line is a name.
    for content in ["1,2\n3,4\n", "1;2\n3;4", "1\t2\n3\t4"] {
        let table = text.read(content).unwrap();
        assert_eq!((table.columns(), table.values()), (&names(&["0", "1"])[..], &[1.0, 2.0, 3.0, 4.0][..]));
    }
    assert_eq!(text.read("mass\n1\n").unwrap().columns(), ["mass"]);
    assert_eq!(text.read("\"a;1\",\"b, c\"\n1,2\n").unwrap().columns(), ["a;1", "b, c"]);
    // As data frames are written: the first column has no name.
    let indexed = text.pick(",a\n0,5\n1,6\n", &choice(&["a"], &[])).unwrap();
    assert_eq!(indexed.values(), [5.0, 6.0]);
}

#[test]
fn header_as_told() {
    let text = Text::new();
    let path = put(text.folder.path(), "t.csv", "1990,1991\n1,2\n");
    let read = |header| Table::read(&TableFile::new(&path), header, &Choice::default());
    assert_eq!(read(Some(true)).unwrap().columns(), ["1990", "1991"]);
    assert_eq!(read(None).unwrap().rows(), 2);
    put(text.folder.path(), "t.csv", "a,b\n1,2\n");
    assert_eq!(
        refused(read(Some(false)), &path),
        "line 1, column \"0\": found \"a\", expected a finite number"
    );
}

#[test]
fn columns_are_chosen_and_others_may_hold_anything() {
    let text = Text::new();
    let content = "name,y,b,a\nx,1,2,3\n,4,5,6\n";
    let table = text.pick(content, &choice(&["a", "b"], &["y"])).unwrap();
    assert_eq!((table.columns(), table.conditions()), (&names(&["a", "b"])[..], &names(&["y"])[..]));
    assert_eq!((table.values(), table.condition_values()), (&[3.0, 2.0, 6.0, 5.0][..], &[1.0, 4.0][..]));
    // All that are no conditions, in the order of the file.
    assert_eq!(text.pick("a,y,b\n1,2,3\n", &choice(&[], &["y"])).unwrap().columns(), ["a", "b"]);
    assert_eq!(text.pick("1,2,3\n", &choice(&["2"], &["0"])).unwrap().values(), [3.0]);

    let line = |choice: &Choice| text.line(text.pick(content, choice));
    let expected = "column \"bb\": found none of that name, expected \"b\" (the nearest of name, y, b, a)";
    assert_eq!(
        line(&choice(&["bb"], &[])).replace("one of name, y, b, a", "\"b\" (the nearest of name, y, b, a)"),
        expected
    );
    assert_eq!(
        line(&choice(&["nam"], &[])),
        "column \"nam\": found none of that name, expected \"name\" (the nearest of name, y, b, a)"
    );
    let twice = "found it chosen twice, expected one of columns and condition to name it, once";
    assert_eq!(line(&choice(&["a"], &["a"])), format!("column \"a\": {twice}"));
    assert_eq!(line(&choice(&["b", "b"], &[])), format!("column \"b\": {twice}"));
    assert_eq!(
        line(&choice(&[], &["name", "y", "b", "a"])),
        "columns: found conditions only, expected at least one column that is modelled"
    );
}

#[test]
fn cells_that_are_no_numbers_are_named() {
    let text = Text::new();
    let cell = |at: &str, found: &str| format!("{at}: found {found}, expected a finite number");
    assert_eq!(text.refuse("a,b\n1,2\n3,\n"), cell("line 3, column \"b\"", "nothing"));
    assert_eq!(text.refuse("a,b\n1,n/a\n"), cell("line 2, column \"b\"", "\"n/a\""));
    assert_eq!(text.refuse("a,b\n\n\n1,inf\n"), cell("line 4, column \"b\"", "\"inf\""));
    assert_eq!(text.refuse("a;b\r\n1;2\r\n1,5;2\r\n"), cell("line 3, column \"a\"", "\"1,5\""));
    assert_eq!(text.refuse("1,2\nNaN,3\n"), cell("line 2, column \"0\"", "\"NaN\""));
    assert_eq!(text.refuse("a\n1e999\n"), cell("line 2, column \"a\"", "\"1e999\""));
    // A first line with a gap is no header, so that no row is lost.
    assert_eq!(text.refuse("1,,3\n4,5,6\n"), cell("line 1, column \"1\"", "nothing"));
    assert_eq!(text.refuse("1,NA,3\n4,5,6\n"), cell("line 1, column \"1\"", "\"NA\""));
    assert_eq!(text.refuse("a\n\"x\ny\"\n"), cell("line 2, column \"a\"", "\"x\\ny\""));
    let condition = text.line(text.pick("a,y\n1,2\n3,x\n", &choice(&["a"], &["y"])));
    assert_eq!(condition, cell("line 3, column \"y\"", "\"x\""));
}

#[test]
fn what_is_no_table_is_refused() {
    let text = Text::new();
    assert_eq!(text.refuse(""), "content: found an empty file, expected a table");
    assert_eq!(text.refuse("\n\n"), "content: found an empty file, expected a table");
    assert_eq!(text.refuse("a,b\n"), "rows: found none, expected at least one");
    assert_eq!(text.refuse("a,b\n1,2\n3\n"), "line 3: found 1 cells, expected 2, as the first line has");
    assert_eq!(text.refuse("a,b\n1,2\n3,4,5\n"), "line 3: found 3 cells, expected 2, as the first line has");
    assert_eq!(
        text.refuse("a,b,a\n1,2,3\n"),
        "column \"a\": found it again as column 2, expected names that differ"
    );
    assert_eq!(
        text.refuse(b"a\n1\n\xff\xfe\n"),
        "line 3: found bytes that are no UTF-8, expected CSV as UTF-8, a .npy or a .npz"
    );
    let key = TableFile { key: Some("rows".into()), ..TableFile::new(text.folder.path().join("t.csv")) };
    let keyed = text.line(Table::read(&key, None, &Choice::default()));
    assert_eq!(keyed, "array \"rows\": found no .npz, expected one, as a key is given");
    let missing = text.folder.path().join("none.csv");
    assert!(refused(read(&missing), &missing).starts_with("cannot read: "));
}

#[test]
fn rows_of_a_split_are_too_few_or_all_the_same() {
    let text = Text::new();
    let load = |content: &str| text.line(Spec::new(put(text.folder.path(), "t.csv", content)).load());
    assert_eq!(load("a\n1\n2\n"), "rows: found 2, expected at least 3: two to train on and one to hold out");
    assert_eq!(
        load("a,b\n1,7\n2,7\n3,7\n4,7\n"),
        "column \"b\" of the training rows: found 7 in every row, expected different values"
    );
}
