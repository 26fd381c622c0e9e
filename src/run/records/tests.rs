use super::*;
use serde_json::json;
use std::fs;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Own {
    index: usize,
    value: f64,
}

fn own(index: usize) -> (usize, Own) {
    (index, Own { index, value: 1.0 / (index + 3) as f64 })
}

fn settings(draws: u32) -> toml::Value {
    toml::from_str(&format!("schedule = 'vp'\nevaluation.draws = {draws}")).unwrap()
}

fn header(shard: Option<(Shard, usize)>) -> Header {
    Header {
        version: "1".into(),
        checkpoint: "abc".into(),
        step: 7,
        data: DataRecord { name: "digits".into(), split: "test".into(), fingerprint: json!({ "images": 5 }) },
        seed: 0,
        settings: settings(1),
        shard,
    }
}

#[test]
fn goes_on_from_whole_lines_and_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let (mut log, said) = RecordsLog::open(&path, &header(None)).unwrap();
    assert_eq!(said, None);
    log.add("vlb", &[own(1), own(0)]).unwrap();
    log.add("ode", &[own(0)]).unwrap();
    let before = fs::read(&path).unwrap();
    log.add("ode", &[own(1)]).unwrap();
    drop(log);
    RecordsLog::finish(&path).unwrap();
    let whole = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 6);
    assert_eq!(lines[1], r#"{"estimate":"vlb","index":0,"value":0.3333333333333333}"#);
    assert_eq!(lines[5], r#"{"finished":true}"#);

    // Every cut within the last two lines.
    for cut in before.len() - 60..=before.len() {
        fs::write(&path, &before[..cut]).unwrap();
        let (mut log, said) = RecordsLog::open(&path, &header(None)).unwrap();
        let kept = before[..cut].iter().filter(|&&byte| byte == b'\n').count() - 1;
        assert!(said.unwrap().ends_with(&format!("records.jsonl: goes on after {kept} records")));
        for name in ["vlb", "ode"] {
            let there = log.records::<Own>(name).unwrap();
            let missing = (0..2).filter(|row| there.iter().all(|own| own.index != *row)).map(own);
            log.add(name, &missing.collect::<Vec<_>>()).unwrap();
        }
        assert_eq!(log.records::<Own>("vlb").unwrap()[1], own(1).1);
        drop(log);
        RecordsLog::finish(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), whole);
    }
    // What has ended is begun anew, and so is a file that has not its first line.
    for content in [whole.as_str(), &whole[..30], ""] {
        fs::write(&path, content).unwrap();
        let (log, said) = RecordsLog::open(&path, &header(None)).unwrap();
        assert_eq!((said, log.records::<Own>("vlb").unwrap().len()), (None, 0));
    }
}

#[test]
fn records_of_something_else_are_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let base = header(None);
    let others = [
        ("version of idode", Header { version: "2".into(), ..base.clone() }),
        ("checkpoint", Header { checkpoint: "abd".into(), ..base.clone() }),
        (
            "data set",
            Header { data: DataRecord { split: "train".into(), ..base.data.clone() }, ..base.clone() },
        ),
        ("seed", Header { seed: 1, ..base.clone() }),
        ("evaluation.draws", Header { settings: settings(2), ..base.clone() }),
    ];
    for (what, other) in others {
        let _ = fs::remove_file(&path);
        let (mut log, _) = RecordsLog::open(&path, &base).unwrap();
        log.add("vlb", &[own(0)]).unwrap();
        let (log, said) = RecordsLog::open(&path, &other).unwrap();
        assert!(said.unwrap().ends_with(&format!("records.jsonl: records of another {what}: begun anew")));
        assert_eq!(log.records::<Own>("vlb").unwrap().len(), 0);
    }
}

#[test]
fn a_line_that_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    let (mut log, _) = RecordsLog::open(&path, &header(None)).unwrap();
    log.add("vlb", &[own(0)]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let again = text.lines().nth(1).unwrap();
    for (more, found) in
        [("{\"index\":1}\n", "line 3: found "), (again, "line 3: found row 0 of vlb again, ")]
    {
        fs::write(&path, format!("{text}{more}\n")).unwrap();
        let line = RecordsLog::open(&path, &header(None)).unwrap_err().to_string();
        assert!(line.contains(found) && line.ends_with("(remove the file to measure anew)"), "{line}");
    }
    fs::write(&path, "notes\n").unwrap();
    let line = RecordsLog::open(&path, &header(None)).unwrap_err().to_string();
    assert!(line.contains("line 1: found "), "{line}");
}

#[test]
fn shards_merge_to_a_whole_or_say_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let names = ["vlb".to_owned(), "ode".to_owned()];
    let write = |name: &str, shard: &str, header: Header, rows: &[usize]| {
        let shard: Shard = shard.parse().unwrap();
        let path = at(name);
        let _ = fs::remove_file(&path);
        let (mut log, _) = RecordsLog::open(&path, &Header { shard: Some((shard, 5)), ..header }).unwrap();
        for name in &names {
            log.add(name, &rows.iter().map(|&row| own(row)).collect::<Vec<_>>()).unwrap();
        }
        path
    };
    let base = header(None);
    let parts = [write("a", "1/2", base.clone(), &[4, 0, 2]), write("b", "2/2", base.clone(), &[3, 1])];
    let whole = at("records.jsonl");
    RecordsLog::merge(&whole, (&base, 5), &names, &[parts[1].clone(), parts[0].clone()]).unwrap();
    let (log, said) = RecordsLog::open(&whole, &base).unwrap();
    assert!(said.unwrap().ends_with("goes on after 10 records"));
    assert!(log.records::<Own>("ode").unwrap().iter().map(|own| own.index).eq(0..5));

    let refused = |parts: &[PathBuf], count, expected: &str| {
        let line = RecordsLog::merge(&whole, (&base, count), &names, parts).unwrap_err().to_string();
        assert!(line.contains(expected), "{line}");
    };
    let [a, b] = parts;
    refused(
        std::slice::from_ref(&a),
        5,
        "records.jsonl: shards: found 1 of them, without 2/2, expected every part of the",
    );
    refused(&[], 5, "shards: found 0 of them, without 1/1, ");
    refused(&[a.clone(), b.clone(), a.clone()], 5, "a: shard: found 1/2, which is in ");
    refused(&[a.clone(), b], 6, "a: rows of the whole: found 5, expected 6");
    let third = write("c", "2/3", base.clone(), &[1, 4]);
    refused(&[a.clone(), third], 5, "c: shard: found 2/3, expected a part of 2, as 1/2");
    let hole = write("d", "2/2", base.clone(), &[1]);
    refused(
        &[a.clone(), hole],
        5,
        "d: vlb: found no record of row 3, expected one of each row: idode eval --shard 2/2",
    );
    let other = write("e", "2/2", Header { seed: 3, ..base.clone() }, &[1, 3]);
    refused(&[a.clone(), other], 5, "e: records: found another seed, expected those of the run as it is now");
    refused(&[a, whole.clone()], 5, "records.jsonl: first line: found no shard, ");
}
