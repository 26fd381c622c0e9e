//! HTML that nothing can break out of: text goes in through [`Html::text`], which escapes it, and tags and attributes' names are the
//! program's own.

use crate::error::Result;
use crate::plot::Png;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A piece of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Html(String);

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What a page may not hold, or would obey: control characters, and those that turn the direction of writing.
            '\n' | '\t' => safe.push(c),
            c if c.is_control()
                || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
            {
                safe.push('\u{fffd}');
            }
            c => safe.push(c),
        }
    }
    safe
}

impl Html {
    /// Text, whatever is in it.
    pub(super) fn text(text: &str) -> Self {
        Self(escaped(text))
    }

    /// Pieces one after the other.
    pub(super) fn all(pieces: &[Self]) -> Self {
        let mut all = String::new();
        for piece in pieces {
            all.push_str(&piece.0);
        }
        Self(all)
    }

    /// An element.
    pub(super) fn tag(tag: &'static str, content: Self) -> Self {
        Self(format!("<{tag}>{}</{tag}>\n", content.0))
    }

    /// An element of a class.
    pub(super) fn of_class(tag: &'static str, class: &'static str, content: Self) -> Self {
        Self(format!("<{tag} class=\"{class}\">{}</{tag}>\n", content.0))
    }

    /// A paragraph of text.
    pub(super) fn line(text: &str) -> Self {
        Self::tag("p", Self::text(text))
    }

    /// A picture with what it shows in words, and a caption.
    fn picture(png: &Png, shows: &str, caption: &str) -> Self {
        let (data, alt) = (STANDARD.encode(png.bytes()), escaped(shows));
        let image = Self(format!("<img alt=\"{alt}\" src=\"data:image/png;base64,{data}\">"));
        Self::tag("figure", Self::all(&[image, Self::tag("figcaption", Self::text(caption))]))
    }

    /// A picture, or why there is none.
    pub(super) fn drawn(png: Result<Png>, shows: &str, caption: &str) -> Self {
        match png {
            Ok(png) => Self::picture(&png, shows, caption),
            Err(error) => Self::missing(&format!("{shows}: {error}")),
        }
    }

    /// What is not there, and why.
    pub(super) fn missing(why: &str) -> Self {
        Self::of_class("p", "missing", Self::text(why))
    }

    /// A table of text: its header and its rows.
    pub(super) fn table(header: &[&str], rows: &[Vec<String>]) -> Self {
        let mut cells = String::new();
        for name in header {
            cells.push_str(&Self::tag("th", Self::text(name)).0);
        }
        let head = Self::tag("tr", Self(cells));
        let mut body = String::new();
        for row in rows {
            let mut cells = String::new();
            for cell in row {
                cells.push_str(&Self::tag("td", Self::text(cell)).0);
            }
            body.push_str(&Self::tag("tr", Self(cells)).0);
        }
        Self::tag("table", Self::all(&[Self::tag("thead", head), Self::tag("tbody", Self(body))]))
    }

    /// Names and values.
    pub(super) fn facts(facts: &[(&str, String)]) -> Self {
        let mut rows = String::new();
        for (name, value) in facts {
            let row = Self::all(&[Self::tag("th", Self::text(name)), Self::tag("td", Self::text(value))]);
            rows.push_str(&Self::tag("tr", row).0);
        }
        Self::of_class("table", "facts", Self(rows))
    }

    /// The whole page, which loads nothing: its policy forbids it.
    pub(super) fn page(title: &str, body: &Self) -> String {
        const POLICY: &str = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            escaped(title),
            include_str!("page.css"),
            body.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text() {
        let cruel = "<script>alert(\"1\")</script> & 'x' \u{1b}[2J \u{202e}";
        let page =
            Html::page(cruel, &Html::all(&[Html::line(cruel), Html::table(&[cruel], &[vec![cruel.into()]])]));
        assert!(!page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}'));
        assert_eq!(
            page.matches("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39;").count(),
            4
        );
    }
}
