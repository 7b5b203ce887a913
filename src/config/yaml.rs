//! A YAML document as a tree of texts with their lines.
//!
//! Called by `file`, and by `catalog` for lists of jobs. Everything is kept as it is written (`017`, `yes`, `1e3` stay texts): what a value means is
//! decided by the key that it stands under, not by YAML's guesses. Built from the parser's events and not from
//! saphyr's tree, because that one hides duplicate keys and follows aliases; here aliases, anchors and tags are
//! refused, and depth and number of values are bounded, so that no file can take more than its own size in memory.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, StrInput};
use std::borrow::Cow;

/// Deeper nesting is refused: the configuration has four levels.
const MOST_DEPTH: usize = 16;

/// More values are refused. 100,000 jobs with a few labels each have half a million.
const MOST_VALUES: usize = 4_000_000;

/// A value and the line on which it begins, counted from 1.
#[derive(Debug)]
pub(crate) struct Node<'t> {
    pub(crate) line: usize,
    pub(crate) value: Value<'t>,
}

/// What a node is.
#[derive(Debug)]
pub(crate) enum Value<'t> {
    /// Nothing, `~` or `null`.
    Null,
    /// A scalar as it is written, without quotes.
    Text(Cow<'t, str>),
    /// A list.
    List(Vec<Node<'t>>),
    /// A mapping, in the order of the file; a key may be there twice.
    Mapping(Vec<Entry<'t>>),
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct Entry<'t> {
    pub(crate) key: Cow<'t, str>,
    pub(crate) key_line: usize,
    pub(crate) node: Node<'t>,
}

impl Entry<'_> {
    /// The line to name in a fault: the value's, or the key's where no value is written.
    pub(crate) fn line(&self) -> usize {
        match self.node.value {
            Value::Null => self.key_line,
            Value::Text(_) | Value::List(_) | Value::Mapping(_) => self.node.line,
        }
    }
}

impl Value<'_> {
    /// What it is, for 'this is …, not …'.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "empty",
            Self::Text(_) => "a single value",
            Self::List(_) => "a list",
            Self::Mapping(_) => "a mapping",
        }
    }
}

/// Why a text is not a document that we take; nothing of the text is in the message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct YamlFault {
    pub(crate) line: usize,
    pub(crate) message: String,
}

/// The document in `text`; `None` if it has none, or nothing but comments.
pub(crate) fn parse(text: &str) -> Result<Option<Node<'_>>, YamlFault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut parser = Parser::new_from_str(text);
    let mut tree = Tree::default();
    loop {
        match next_event(&mut parser) {
            None => return Ok(tree.root),
            Some(Ok((event, line))) => tree.take(event, line)?,
            Some(Err(error)) => return Err(explain(text, &error)),
        }
    }
}

fn next_event<'t>(parser: &mut Parser<'t, StrInput<'t>>) -> Option<Result<(Event<'t>, usize), ScanError>> {
    let (event, span) = match parser.next_event()? {
        Ok(event) => event,
        Err(error) => return Some(Err(error)),
    };
    Some(Ok((event, span.start.line())))
}

/// The tree under construction: the mappings and lists that are still open, and the root once it is whole.
#[derive(Default)]
struct Tree<'t> {
    open: Vec<Open<'t>>,
    root: Option<Node<'t>>,
    documents: usize,
    values: usize,
}

enum Open<'t> {
    List(usize, Vec<Node<'t>>),
    Mapping(usize, Vec<Entry<'t>>, Option<(Cow<'t, str>, usize)>),
}

impl<'t> Tree<'t> {
    fn take(&mut self, event: Event<'t>, line: usize) -> Result<(), YamlFault> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fault(line, "begins a second document; put everything into one"));
                }
                Ok(())
            }
            Event::Alias(_) => Err(fault(line, NO_ALIASES)),
            Event::Scalar(text, style, anchor, tag) => {
                plain_node(line, anchor, tag.is_some())?;
                self.add(Node { line, value: scalar(text, style) })
            }
            Event::SequenceStart(anchor, tag) => {
                plain_node(line, anchor, tag.is_some())?;
                self.open(line, Open::List(line, Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                plain_node(line, anchor, tag.is_some())?;
                self.open(line, Open::Mapping(line, Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(Open::List(line, nodes)) => self.add(Node { line, value: Value::List(nodes) }),
                Some(Open::Mapping(line, entries, _)) => {
                    self.add(Node { line, value: Value::Mapping(entries) })
                }
                None => Ok(()),
            },
        }
    }

    fn open(&mut self, line: usize, open: Open<'t>) -> Result<(), YamlFault> {
        if self.open.len() == MOST_DEPTH {
            return Err(fault(line, too_deep()));
        }
        self.open.push(open);
        Ok(())
    }

    /// Puts a whole node where it belongs.
    fn add(&mut self, node: Node<'t>) -> Result<(), YamlFault> {
        self.values += 1;
        if self.values > MOST_VALUES {
            return Err(fault(node.line, format!("has more than {MOST_VALUES} values; split the file")));
        }
        match self.open.last_mut() {
            // The empty scalar that the parser makes of an empty document is none.
            None if matches!(node.value, Value::Null) => {}
            None => self.root = Some(node),
            Some(Open::List(_, nodes)) => nodes.push(node),
            Some(Open::Mapping(_, entries, pending)) => match pending.take() {
                Some((key, key_line)) => entries.push(Entry { key, key_line, node }),
                None => *pending = Some(key_of(node)?),
            },
        }
        Ok(())
    }
}

const NO_ALIASES: &str = "uses an anchor or alias (`&name`, `*name`); write the value out, \
                          or put a text that begins with `&` or `*` in quotes";

/// Refuses anchors and tags.
fn plain_node(line: usize, anchor: usize, tagged: bool) -> Result<(), YamlFault> {
    if anchor != 0 {
        return Err(fault(line, NO_ALIASES));
    }
    if tagged {
        return Err(fault(
            line,
            "uses a tag (`!name`); write the plain value, or put a text that begins with `!` in quotes",
        ));
    }
    Ok(())
}

fn scalar(text: Cow<'_, str>, style: ScalarStyle) -> Value<'_> {
    let plain = matches!(style, ScalarStyle::Plain);
    if plain && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    Value::Text(text)
}

fn key_of(node: Node<'_>) -> Result<(Cow<'_, str>, usize), YamlFault> {
    match node.value {
        Value::Text(text) => Ok((text, node.line)),
        Value::Null => Err(fault(node.line, "has an empty key; write `key: value`")),
        Value::List(_) | Value::Mapping(_) => Err(fault(
            node.line,
            "has a list or mapping as a key; a key is a word, and text with `{` or `[` in front needs quotes",
        )),
    }
}

fn fault(line: usize, message: impl Into<String>) -> YamlFault {
    YamlFault { line, message: message.into() }
}

/// The parser's complaint in words that help. A tab in the indentation is the usual cause of the oddest ones.
fn explain(text: &str, error: &ScanError) -> YamlFault {
    let line = error.marker().line().max(1);
    if let Some(line) = tabbed_line(text, line) {
        return fault(line, "is indented with a tab; YAML takes spaces only");
    }
    let info = error.info();
    let message = match info {
        _ if info.contains("anchor") => NO_ALIASES.to_owned(),
        _ if info.contains("mapping values are not allowed") => {
            "has a second `: ` in a line, or is indented unlike its neighbours; quote a text that has `: `, \
             or mend the indentation"
                .to_owned()
        }
        _ if info.contains("simple key expect") => {
            "ends a key that has no `: ` (a colon and a space) behind it; write `key: value`".to_owned()
        }
        _ if info.contains("quoted scalar") => {
            format!("has a text in quotes that is not closed or not well-formed ({info}); mend it")
        }
        _ if info.contains("flow mapping") || info.contains("flow sequence") => {
            "has a `{` or `[` that is not closed, or lacks a comma within; close it, or put the comma"
                .to_owned()
        }
        _ if info.contains("recursion limit") => too_deep(),
        _ => format!("is not YAML ({info}); check indentation, colons and quotes near this line"),
    };
    fault(line, message)
}

fn too_deep() -> String {
    format!("is nested deeper than {MOST_DEPTH} levels; no key needs that")
}

/// A line whose indentation has a tab: `line`, or else the one before or after, as the parser may notice late or
/// look ahead.
fn tabbed_line(text: &str, line: usize) -> Option<usize> {
    let is_tabbed = |number: &usize| {
        let content = number.checked_sub(1).and_then(|index| text.lines().nth(index)).unwrap_or_default();
        content.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t')
    };
    [line, line.saturating_sub(1), line + 1].into_iter().find(is_tabbed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault_of(text: &str) -> YamlFault {
        parse(text).expect_err("a fault")
    }

    #[test]
    fn texts_stay_as_they_are_written() {
        let root = parse("a: 017\nb: yes\nc: \"null\"\nd: ~\n").unwrap().unwrap();
        let Value::Mapping(entries) = root.value else { panic!("a mapping") };
        let shown: Vec<_> = entries
            .iter()
            .map(|entry| match &entry.node.value {
                Value::Text(text) => (entry.key.as_ref(), text.as_ref(), entry.line()),
                other => (entry.key.as_ref(), other.kind(), entry.line()),
            })
            .collect();
        assert_eq!(shown, [("a", "017", 1), ("b", "yes", 2), ("c", "null", 3), ("d", "empty", 4)]);
    }

    #[test]
    fn nothing_and_comments_are_no_document() {
        for text in ["", "\n\n", "# a comment\n", "---\n", "--- \n# x\n...\n", "\u{feff}"] {
            assert!(parse(text).unwrap().is_none(), "{text:?}");
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_overflows_nothing() {
        for text in ["[".repeat(200_000), "- ".repeat(200_000), "{a: ".repeat(100_000), "? ".repeat(100_000)]
        {
            assert!(fault_of(&text).message.contains("nested deeper"), "{:?}", fault_of(&text));
        }
    }

    #[test]
    fn aliases_are_refused_before_they_multiply() {
        assert_eq!(fault_of("a: &a [x, x]\nb: *a\n"), fault(1, NO_ALIASES));
        assert_eq!(fault_of("a: *a\n"), fault(1, NO_ALIASES));
    }

    #[test]
    fn a_second_document_is_refused() {
        assert_eq!(fault_of("a: 1\n---\nb: 2\n").line, 2);
    }
}
