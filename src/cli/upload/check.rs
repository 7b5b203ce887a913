//! Looks a CSV file through before it is sent: its header, its rows, its encoding. Called by `upload`.
//!
//! Rows are customers, so that nothing of one is ever shown: messages have line numbers and names of columns that the
//! API's description knows. Memory is that of one row, and a row has a limit.

use csv::{ByteRecord, ReaderBuilder};
use std::cell::Cell;
use std::collections::HashSet;
use std::io::{self, Read};
use std::rc::Rc;

/// Columns of every file (API description).
const COMMON: [&str; 8] = [
    "umaAddress",
    "platformCustomerId",
    "customerType",
    "addressLine1",
    "city",
    "state",
    "postalCode",
    "country",
];

/// Columns that customers of one type need besides.
const INDIVIDUAL: [&str; 2] = ["fullName", "birthDate"];
const BUSINESS: [&str; 1] = ["businessLegalName"];

/// Columns that may be there.
const OPTIONAL: [&str; 6] = [
    "addressLine2",
    "platformAccountId",
    "description",
    "email",
    "businessRegistrationNumber",
    "businessTaxId",
];

/// The longest row, in bytes: more is a quote that is not closed.
const MOST_ROW_BYTES: u64 = 1 << 20;

/// Faults of rows that are told one by one.
pub(super) const MOST_TOLD: usize = 10;

/// A file that can be sent.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// Rows without the header.
    pub(super) rows: u64,
    /// Columns.
    pub(super) columns: usize,
    /// What is odd in the header.
    pub(super) notes: Vec<String>,
    /// Rows that will probably fail: the first [`MOST_TOLD`], in words.
    pub(super) bad_rows: Vec<String>,
    /// All of them.
    pub(super) bad_row_count: u64,
}

/// Reads the whole file; the error says why it can't be sent.
pub(super) fn check(file: impl Read) -> Result<Checked, String> {
    let watch = Rc::new(Watch::default());
    let bounded = Bounded { inner: file, watch: Rc::clone(&watch) };
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bounded);
    let mut record = ByteRecord::new();
    let mut next = |record: &mut ByteRecord| {
        watch.row_bytes.set(0);
        let before = reader.position().line();
        match reader.read_byte_record(record) {
            Ok(found) => Ok(found),
            Err(_) if watch.row_bytes.get() > MOST_ROW_BYTES => Err(format!(
                "the row that begins on line {before} has more than {MOST_ROW_BYTES} bytes; a quote is probably not closed there"
            )),
            Err(error) => match error.into_kind() {
                csv::ErrorKind::Io(error) => Err(format!("it can't be read: {error}")),
                _ => Err(format!("line {before} can't be read")),
            },
        }
    };
    if !next(&mut record)? {
        return Err("it is empty; its first line names the columns".to_owned());
    }
    let header = Header::read(&record)?;
    let mut checked =
        Checked { columns: header.names.len(), notes: header.notes.clone(), ..Checked::default() };
    let mut last = 1;
    while next(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        last = line;
        if record.iter().all(|field| field.trim_ascii().is_empty()) {
            continue;
        }
        if record.iter().any(|field| std::str::from_utf8(field).is_err()) {
            return Err(format!("line {line} is not UTF-8; save the file as UTF-8"));
        }
        checked.rows += 1;
        if let Some(fault) = header.fault_of(&record) {
            checked.bad_row_count += 1;
            if checked.bad_rows.len() < MOST_TOLD {
                checked.bad_rows.push(format!("line {line}: {fault}"));
            }
        }
    }
    if watch.quotes_are_odd.get() {
        return Err(format!(
            "a quote is not closed; the last row that could be told apart begins on line {last}"
        ));
    }
    if checked.rows == 0 {
        return Err("it has a header and no rows".to_owned());
    }
    Ok(checked)
}

/// The columns, by name.
struct Header {
    names: Vec<String>,
    notes: Vec<String>,
}

impl Header {
    fn read(record: &ByteRecord) -> Result<Self, String> {
        let mut names = Vec::new();
        for (index, field) in record.iter().enumerate() {
            let field = if index == 0 { field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field) } else { field };
            let text = std::str::from_utf8(field).map_err(|_| {
                "its header is not UTF-8; save the file as UTF-8 (a spreadsheet calls it `CSV UTF-8`)"
                    .to_owned()
            })?;
            names.push(text.trim().to_owned());
        }
        if let [one] = names.as_slice()
            && let Some(separator) = [';', '\t', '|'].into_iter().find(|separator| one.contains(*separator))
        {
            return Err(format!("its columns are separated by {separator:?}; the API takes commas"));
        }
        let has = |name: &&str| names.iter().any(|given| given == *name);
        let mut missing: Vec<_> = COMMON.iter().filter(|name| !has(name)).copied().collect();
        let of_individuals: Vec<_> = INDIVIDUAL.iter().filter(|name| !has(name)).copied().collect();
        if !of_individuals.is_empty() && !has(&BUSINESS[0]) {
            missing.extend(of_individuals);
        }
        if missing.len() > COMMON.len() {
            return Err(format!(
                "its first line is no header: none of the columns that the API needs is named there ({})",
                COMMON.join(", ")
            ));
        }
        if !missing.is_empty() {
            let or = if has(&BUSINESS[0]) || !missing.contains(&"fullName") {
                ""
            } else {
                " (businesses: businessLegalName)"
            };
            return Err(format!("its header lacks {}{or}", missing.join(", ")));
        }
        let mut seen = HashSet::new();
        let known: HashSet<_> =
            COMMON.iter().chain(&INDIVIDUAL).chain(&BUSINESS).chain(&OPTIONAL).copied().collect();
        let mut notes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let column = index + 1;
            match known.get(name.as_str()) {
                Some(known) if !seen.insert(*known) => return Err(format!("its header names {known} twice")),
                Some(_) => {}
                // The name itself is not shown: a file without a header has a customer there.
                None => {
                    let near = known.iter().find(|known| known.eq_ignore_ascii_case(name));
                    let hint = near.map(|near| format!("; is {near} meant?")).unwrap_or_default();
                    notes.push(format!("column {column} is none that the API's description knows{hint}"));
                }
            }
        }
        Ok(Self { names, notes })
    }

    /// Why a row will probably fail.
    fn fault_of(&self, record: &ByteRecord) -> Option<String> {
        if record.len() > self.names.len() {
            return Some(format!("{} fields, but the header has {} columns", record.len(), self.names.len()));
        }
        let value = |name: &str| {
            let column = self.names.iter().position(|given| given == name)?;
            record.get(column).map(<[u8]>::trim_ascii).filter(|value| !value.is_empty())
        };
        let own: &[&str] = match value("customerType") {
            Some(b"INDIVIDUAL") => &INDIVIDUAL,
            Some(b"BUSINESS") => &BUSINESS,
            _ => return Some("customerType is neither INDIVIDUAL nor BUSINESS".to_owned()),
        };
        let empty: Vec<_> = COMMON.iter().chain(own).filter(|name| value(name).is_none()).copied().collect();
        (!empty.is_empty()).then(|| format!("no {}", empty.join(", ")))
    }
}

/// What is seen of the bytes as they are read.
#[derive(Debug, Default)]
struct Watch {
    row_bytes: Cell<u64>,
    quotes_are_odd: Cell<bool>,
}

/// Stops a row that has no end.
struct Bounded<R> {
    inner: R,
    watch: Rc<Watch>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // One piece more than the limit, as a piece may hold the ends of many rows.
        if self.watch.row_bytes.get() > MOST_ROW_BYTES {
            return Err(io::Error::other("a row is too long"));
        }
        let length = self.inner.read(buffer)?;
        let piece = buffer.get(..length).unwrap_or_default();
        self.watch.row_bytes.set(self.watch.row_bytes.get() + length as u64);
        let quotes = memchr::memchr_iter(b'"', piece).count();
        self.watch.quotes_are_odd.set(self.watch.quotes_are_odd.get() ^ (quotes % 2 == 1));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "umaAddress,platformCustomerId,customerType,fullName,birthDate,addressLine1,city,state,\
        postalCode,country,platformAccountId,businessLegalName\n";
    const ROW: &str = "$j@x,c1,INDIVIDUAL,Jane Doe,1990-01-15,1 Main St,Austin,TX,78701,US\n";

    fn refusal(text: &str) -> String {
        let fault = check(text.as_bytes()).unwrap_err();
        assert!(!fault.contains("Jane") && !fault.contains('\n'), "{fault}");
        fault
    }

    #[test]
    fn rows_are_counted_and_columns_may_be_left_off_at_the_end() {
        let text = format!("\u{feff}{HEADER}{ROW}\n{}", ROW.replace("Jane Doe", "\"Jane\nDoe, \"\"J\"\"\""));
        assert_eq!(check(text.as_bytes()), Ok(Checked { rows: 2, columns: 12, ..Checked::default() }));
    }

    #[test]
    fn a_header_that_the_api_would_refuse_is_told_by_its_columns() {
        assert_eq!(refusal(&HEADER.replace("umaAddress", "x")), "its header lacks umaAddress");
        let neither = HEADER.replace("businessLegalName", "x").replace("birthDate", "y");
        assert_eq!(refusal(&neither), "its header lacks birthDate");
        assert!(check(format!("{}{ROW}", HEADER.replace("businessLegalName", "x")).as_bytes()).is_ok());
        assert!(refusal(&HEADER.replace("platformAccountId", "city")).contains("names city twice"));
        assert!(refusal(&HEADER.replace(',', ";")).contains("separated by ';'"));
        assert!(refusal(ROW).contains("its first line is no header"));
        assert!(refusal("").contains("is empty"));
        assert!(refusal(HEADER).contains("no rows"));
        assert!(refusal(&format!("{HEADER}\n,,,\n")).contains("no rows"));
    }

    #[test]
    fn columns_that_nobody_knows_are_told_by_number_alone() {
        let text = format!(
            "{}{ROW}",
            HEADER.replace("platformAccountId", "PlatformAccountID").replace("state,", "state,Jane,")
        );
        let notes = check(text.as_bytes()).unwrap().notes;
        assert_eq!(notes.len(), 2, "{notes:?}");
        assert!(notes[0].starts_with("column 9 ") && !notes[0].contains("Jane"), "{notes:?}");
        assert!(notes[1].ends_with("is platformAccountId meant?"), "{notes:?}");
    }

    #[test]
    fn rows_that_will_fail_are_told_by_line_and_column() {
        let business = "$b@x,b1,BUSINESS,,,4 Way,Austin,TX,78701,US\n";
        let text = format!(
            "{HEADER}{ROW}{}{business}{}{}",
            ROW.replace("INDIVIDUAL", "PERSON"),
            ROW.replace("Jane Doe", " "),
            ROW.replace("US\n", "US,a,b,c\n")
        );
        let checked = check(text.as_bytes()).unwrap();
        assert_eq!((checked.rows, checked.bad_row_count), (5, 4));
        let expected = [
            "line 3: customerType is neither INDIVIDUAL nor BUSINESS",
            "line 4: no businessLegalName",
            "line 5: no fullName",
            "line 6: 13 fields, but the header has 12 columns",
        ];
        assert_eq!(checked.bad_rows, expected);
        let many = check(format!("{HEADER}{}", business.repeat(50)).as_bytes()).unwrap();
        assert_eq!((many.bad_row_count, many.bad_rows.len()), (50, MOST_TOLD));
    }

    #[test]
    fn what_is_no_text_and_quotes_without_an_end_are_refused() {
        let mut bytes = format!("{HEADER}{ROW}{ROW}").into_bytes();
        let end = bytes.len();
        bytes[end - 10] = 0xff;
        assert_eq!(check(&*bytes).unwrap_err(), "line 3 is not UTF-8; save the file as UTF-8");
        assert!(check(&b"\xff\xfeu\0m\0a\0"[..]).unwrap_err().contains("not UTF-8"));
        let open = format!("{HEADER}{ROW}{}", ROW.replace("Jane", "\"Jane"));
        assert!(refusal(&open).contains("begins on line 3"), "{}", refusal(&open));
        let endless = format!("{open}{}", ROW.repeat(40_000));
        assert!(
            refusal(&endless).contains("the row that begins on line 3 has more than"),
            "{}",
            refusal(&endless)
        );
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic_or_shows_a_row(bytes: Vec<u8>, rows in "[A-Za-z,\"\n]{0,200}") {
            let _ = check(&*bytes);
            let _ = check(format!("{HEADER}{rows}").as_bytes());
        }
    }
}
