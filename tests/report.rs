//! The page of a run: whole, self-contained, and text where text was; in a headless Chromium where this machine has one.

use idode::commands;
use idode::config::Recipe;
use idode::experiment::Destination;
use idode::prelude::*;
use idode::registry::Registry;
use idode::report::report;
use idode::run::RunFolder;
use std::fs;
use std::path::Path;
use std::process::Command;

const CRUEL: &str = "<script>alert(1)</script>";

const REST: &str = "
    [[stage]]
    steps = 4
    batch = 128
    [log]
    every = 1
    [evaluation]
    images = 6
    vlb_levels = 2
    stepping = { name = 'fixed', steps = 1 }
    [sample]
    count = 3
    stepping = { name = 'fixed', steps = 1 }";

fn run(folder: &Path, recipe: &str) -> RunFolder {
    let recipe = Recipe::parse("r.toml", recipe).expect("a recipe");
    let root = folder.join(format!("run {}", CRUEL.replace('/', "")));
    commands::train(&recipe, &Registry::default(), &Destination::at(&root), &mut Silent).expect("a run");
    RunFolder::open(&root).expect("a run")
}

/// The tags of a page in their order, ends with their slash; every tag that begins ends where it must.
fn tags(page: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut open = Vec::new();
    let without_style: String =
        page.split("<style>").map(|part| part.rsplit("</style>").next().unwrap_or(part)).collect();
    for part in without_style.split('<').skip(1) {
        let (tag, _) = part.split_once('>').expect("a tag ends");
        let name = tag.split_whitespace().next().expect("a name").to_owned();
        match name.strip_prefix('/') {
            Some(end) => assert_eq!(open.pop().as_deref(), Some(end), "{part}"),
            None if ["!DOCTYPE", "meta", "img"].contains(&name.as_str()) => {}
            None => open.push(name.clone()),
        }
        found.push(name);
    }
    assert!(open.is_empty(), "{open:?}");
    found
}

/// What every page must be.
fn checked(page: &str) -> Vec<String> {
    let tags = tags(page);
    for forbidden in ["script", "link", "iframe", "object", "embed", "form", "a", "base"] {
        assert!(tags.iter().all(|tag| tag != forbidden), "{forbidden}");
    }
    for address in ["http:", "https:", "url(", "@import", "src=\"//", "onerror", "javascript:"] {
        assert!(!page.contains(address), "{address}");
    }
    let sources = page.matches(" src=\"").count();
    assert_eq!(sources, page.matches(" src=\"data:image/png;base64,iVBORw0KGgo").count());
    assert!(page.contains("Content-Security-Policy") && page.contains("default-src 'none'"));
    for section in [
        "What was trained",
        "Training",
        "Likelihood",
        "Ladder of bounds",
        "Samples and data",
        "Best and worst",
        "Losses over noise levels",
        "Time and memory",
        "Recipe",
    ] {
        assert!(page.contains(&format!("<h2>{section}</h2>")), "{section}");
    }
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    tags
}

/// The page as a browser shows it, where there is one: the number of pictures that it could decode.
fn seen(path: &Path, pictures: usize) {
    let names = ["chromium", "chromium-browser", "google-chrome", "chrome-headless-shell"];
    let own = std::env::var("IDODE_CHROMIUM").ok();
    let names = own.iter().map(String::as_str).chain(names);
    let is_there = |name: &&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let Some(browser) = names.into_iter().find(is_there) else {
        eprintln!("not run: no Chromium to open the page in");
        return;
    };
    let profile = tempfile::tempdir().expect("a folder");
    let picture = profile.path().join("page.png");
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1100,2400"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(path)
        .output()
        .expect("the browser runs");
    assert!(picture.is_file(), "{output:?}");
    let shown = image::open(&picture).expect("a picture").to_rgb8();
    let colours: std::collections::BTreeSet<[u8; 3]> = shown.pixels().map(|pixel| pixel.0).collect();
    assert!(pictures > 0 && colours.len() > 20, "{} colours", colours.len());
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!text.contains("Refused to") && !text.contains("CONSOLE"), "{text}");
}

#[test]
fn a_run_of_images_is_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    // Levels drawn evenly: so few rows leave no bin of them empty.
    let images = "[evaluation]\nladder = [1, 2]\nbudget = true\ndequantizers = ['uniform']";
    let recipe = format!(
        "data.name = 'digits'\ntime = 'uniform'\nnetwork = {{ name = 'mlp', width = 32, depth = 1 }}\n{}",
        REST.replace("[evaluation]", images)
    );
    let run = run(folder.path(), &recipe);
    let path = report(&run, &Registry::default(), None).expect("a page");
    assert_eq!(path, run.root().join("report.html"));
    let page = fs::read_to_string(&path).expect("a page");
    let tags = checked(&page);
    // Two of training, the ladder, samples and data, best and worst and every value, losses and density.
    let pictures = tags.iter().filter(|tag| *tag == "img").count();
    assert_eq!(pictures, 10);
    for text in [
        "vlb",
        "ode_uniform",
        "independent pixels",
        "error budget",
        "K</th>",
        "digits",
        "shape 8x8x1",
        "of that under uniform",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(
        !page.contains("class=\"missing\""),
        "{}",
        page.split("class=\"missing\"").nth(1).unwrap_or_default()
    );
    seen(&path, pictures);

    // A run that is not measured yet, or whose files are gone, is a page that says so.
    for file in ["result.json", "records.json", "levels.jsonl", "samples.png", "ladder.json", "metrics.jsonl"]
    {
        fs::remove_file(run.root().join(file)).expect("a file");
    }
    let elsewhere = folder.path().join("page.html");
    report(&run, &Registry::default(), Some(&elsewhere)).expect("a page");
    let page = fs::read_to_string(&elsewhere).expect("a page");
    checked(&page);
    assert_eq!(page.matches("class=\"missing\"").count(), 7);
    // A corrupt one is named.
    fs::write(run.root().join("result.json"), "{").expect("a file");
    let line = report(&run, &Registry::default(), None).expect_err("corrupt").to_string();
    assert!(line.contains("result.json: line 1: found "), "{line}");
}

#[test]
fn a_run_of_a_table_is_a_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("t.csv");
    let numbers: String =
        (0..90).map(|i| format!("{},{}\n", f64::from(i * 37 % 90), f64::from(i * i % 17) * 0.1)).collect();
    fs::write(&file, format!("\"{CRUEL}\",b\n{numbers}")).expect("a file");
    let path = file.display();
    let recipe = format!(
        "data = {{ name = 'table', path = '{path}' }}\nnetwork = {{ name = 'mlp', width = 32, depth = 1 }}\n{REST}"
    );
    let run = run(folder.path(), &recipe);
    let path = report(&run, &Registry::default(), None).expect("a page");
    let page = fs::read_to_string(&path).expect("a page");
    let tags = checked(&page);
    // Two of training, the corner plot, every value, losses and density.
    let pictures = tags.iter().filter(|tag| *tag == "img").count();
    assert_eq!(pictures, 6);
    for text in
        ["nats/row", "Most likely rows", "Least likely rows", "normal distribution", "; rows ", "have none"]
    {
        assert!(page.contains(text), "{text}");
    }
    seen(&path, pictures);
}
