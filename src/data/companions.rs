//! Files that lie beside images and are none: texts, lists of labels, thumbnails, what systems leave behind.

const ENDS: &[&str] = &[
    "txt", "md", "rst", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg", "db",
    "html", "htm", "pdf", "log", "lst", "list", "names", "py", "sh", "md5", "sha1", "sha256", "sha512",
    "sig", "asc",
];

const NAMES: &[&str] = &[
    "readme",
    "license",
    "licence",
    "copying",
    "notice",
    "attribution",
    "citation",
    "authors",
    "changelog",
    "md5sums",
    "sha1sums",
    "sha256sums",
    "sha512sums",
    "labels",
    "classes",
    "icon\r",
];

const FOLDERS: &[&str] = &["__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found"];

/// Whether an entry, by its name in any case of letters, is no image: hidden, or one of the lists above.
pub(crate) fn is_companion(entry: &str) -> bool {
    let entry = entry.to_lowercase();
    let (folders, file) = entry.rsplit_once('/').unwrap_or(("", &entry));
    let is_hidden = |part: &str| part.starts_with('.') && part != "." && part != "..";
    let mut folders = folders.split('/');
    let (stem, end) = file.rsplit_once('.').unwrap_or((file, ""));
    folders.any(|folder| is_hidden(folder) || FOLDERS.contains(&folder))
        || is_hidden(file)
        || ENDS.contains(&end)
        || NAMES.contains(&stem) && !matches!(end, "png" | "jpg" | "jpeg")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn companions_are_known_in_any_case() {
        for name in [
            "Thumbs.db",
            "x/THUMBS.DB",
            "desktop.ini",
            ".DS_Store",
            "._0.png",
            "__MACOSX/x/1.png",
            "README.MD",
            "readme",
            "README.first",
            "LICENSE",
            "labels.tsv",
            "x/Labels.CSV",
            "a/.hidden/b.png",
            "Icon\r",
            "sums.sha256",
            "@eaDir/0.png/thumb.jpg",
        ] {
            assert!(is_companion(name), "{name}");
        }
        for name in
            ["0.png", "./x/0.png", "labels/0.png", "readme.png", "x.db.jpg", "noend", "0.gif", "0.npy"]
        {
            assert!(!is_companion(name), "{name}");
        }
    }
}
