use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;
use crate::scan::own_keys::OwnKeys;

fn id() -> String {
    ["AK", "IAY34FZKBOKMUTVV7A"].concat()
}

fn scanner() -> Scanner {
    Scanner::new(OwnKeys::none())
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn pdf(streams: &[(&str, &[u8])]) -> Vec<u8> {
    let mut pdf = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n".to_vec();
    for (number, (dictionary, content)) in streams.iter().enumerate() {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(content).unwrap();
        let packed = encoder.finish().unwrap();
        pdf.extend(
            format!(
                "{} 0 obj\n<<{dictionary}/Length {}>>\nstream\r\n",
                number + 7,
                packed.len()
            )
            .bytes(),
        );
        pdf.extend(packed);
        pdf.extend(b"\nendstream\nendobj\n");
    }
    pdf.extend(b"trailer\n<<>>\n%%EOF\n");
    pdf
}

#[test]
fn the_streams_of_a_pdf_are_looked_into() {
    let text = format!("BT /F1 9 Tf ({}) Tj ET", id());
    let page = |dictionary: &str| pdf(&[("", b"x"), (dictionary, text.as_bytes())]);
    for content in [
        page("/Filter/FlateDecode"),
        page("/Type /EmbeddedFile /Filter /FlateDecode"),
        [
            &page("/Filter /FlateDecode")[..],
            b"1 0 obj <</Filter/FlateDecode>> stream\nno deflate",
        ]
        .concat(),
        pdf(&[("/Filter/FlateDecode", &gzip(text.as_bytes())), ("", b"")]),
    ] {
        let found = scanner().bytes(&content);
        assert_eq!(found.unread, []);
        assert_eq!(found.candidates.len(), 1, "{}", String::from_utf8_lossy(&content));
        let path = &found.candidates[0].finding.path;
        assert!(path == "object 8" || path == "object 7", "{path}");
    }
    for dictionary in [
        "",
        "/Subtype/Image/Filter/FlateDecode",
        "/Subtype /Image /Filter /FlateDecode",
    ] {
        assert!(
            scanner().bytes(&page(dictionary)).candidates.is_empty(),
            "{dictionary}"
        );
    }
    let ascii85 = {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        let mut letters = String::new();
        for group in packed.chunks(4) {
            let mut four = [0; 4];
            four[..group.len()].copy_from_slice(group);
            let value = u32::from_be_bytes(four);
            let five = [4, 3, 2, 1, 0].map(|power| char::from(b'!' + (value / 85_u32.pow(power) % 85) as u8));
            letters.extend(&five[..=group.len()]);
            letters.push_str(if letters.len().is_multiple_of(7) { "\n" } else { "" });
        }
        format!(
            "%PDF-1.4\n1 0 obj\n<</Filter [ /ASCII85Decode /FlateDecode ]>>\nstream\n{letters}~>endstream\n"
        )
    };
    assert_eq!(
        scanner().bytes(ascii85.as_bytes()).candidates.len(),
        1,
        "{ascii85}"
    );
    let bomb = pdf(&[("/Filter/FlateDecode", &vec![b'a'; 1 << 20])]);
    assert_eq!(scanner().bytes(&bomb).unread[0].why, Bound::Size);
}

/// How the sizes of an entry are written.
#[derive(Clone, Copy, Debug)]
enum Sizes {
    Before,
    Behind,
    BehindWithoutSignature,
}

fn zip(entries: &[(&str, &[u8])], method: u16, flags: u16, sizes: Sizes) -> Vec<u8> {
    let mut zip = Vec::new();
    for (name, content) in entries {
        let packed = if method == 8 {
            deflate(content)
        } else {
            content.to_vec()
        };
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let is_before = matches!(sizes, Sizes::Before);
        zip.extend(b"PK\x03\x04\x14\x00");
        zip.extend((flags | if is_before { 0 } else { 8 }).to_le_bytes());
        zip.extend(method.to_le_bytes());
        zip.extend([0; 8]);
        zip.extend(if is_before { length(&packed) } else { [0; 4] });
        zip.extend(if is_before { length(content) } else { [0; 4] });
        zip.extend(u16::try_from(name.len()).unwrap().to_le_bytes());
        zip.extend([0; 2]);
        zip.extend(name.as_bytes());
        zip.extend(&packed);
        match sizes {
            Sizes::Before => continue,
            Sizes::Behind => zip.extend(b"PK\x07\x08"),
            Sizes::BehindWithoutSignature => {}
        }
        zip.extend([1, 2, 3, 4]);
        zip.extend(length(&packed));
        zip.extend(length(content));
    }
    zip.extend(b"PK\x01\x02");
    zip
}

fn tar(entries: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, kind, content) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].copy_from_slice(b"        ");
        header[156] = *kind;
        header[257..263].copy_from_slice(b"ustar\0");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        tar.extend(header);
        tar.extend(*content);
        tar.resize(tar.len().div_ceil(512) * 512, 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn paths(content: &[u8]) -> Vec<String> {
    let found = scanner().bytes(content);
    assert_eq!(found.unread, []);
    assert_eq!(found.bytes, content.len() as u64);
    found
        .candidates
        .into_iter()
        .map(|candidate| candidate.finding.path)
        .collect()
}

#[test]
fn gzip_is_read_in_several_streams_too() {
    let key = id();
    assert_eq!(paths(&gzip(key.as_bytes())), [""]);
    let two = [gzip(b"nothing here\n"), gzip(key.as_bytes())].concat();
    assert_eq!(paths(&two), [""]);
    let found = scanner().bytes(&gzip(format!("\n\n  {key}").as_bytes()));
    assert_eq!(
        (
            found.candidates[0].finding.line,
            found.candidates[0].finding.column
        ),
        (3, 3)
    );
}

#[test]
fn zip_is_read_however_its_sizes_are_written() {
    let key = id();
    let text = format!("{}{key}\n", "words and more words ".repeat(50));
    for sizes in [Sizes::Before, Sizes::Behind, Sizes::BehindWithoutSignature] {
        let entries: [(&str, &[u8]); 4] = [
            ("a", b"x"),
            ("b/c", text.as_bytes()),
            ("d", b""),
            ("e", key.as_bytes()),
        ];
        assert_eq!(paths(&zip(&entries, 8, 0, sizes)), ["b/c", "e"], "{sizes:?}");
    }
    let entries: [(&str, &[u8]); 2] = [("a", b"x"), ("b", key.as_bytes())];
    assert_eq!(paths(&zip(&entries, 0, 0, Sizes::Before)), ["b"]);
}

#[test]
fn tar_is_read_with_its_long_names() {
    let key = id();
    let entries: [(&str, u8, &[u8]); 6] = [
        ("folder", b'5', b""),
        ("a", b'0', key.as_bytes()),
        ("@", b'L', b"a/long/name\0"),
        ("cut", b'0', key.as_bytes()),
        ("@", b'x', b"21 path=another/name\n"),
        ("cut", b'0', key.as_bytes()),
    ];
    assert_eq!(paths(&tar(&entries)), ["a", "a/long/name", "another/name"]);
}

#[test]
fn containers_in_containers_to_the_third() {
    let key = id();
    let tar_gz = gzip(&tar(&[("a", b'0', key.as_bytes())]));
    assert_eq!(paths(&tar_gz), ["a"]);
    let entries: [(&str, &[u8]); 1] = [("b.tgz", &tar_gz)];
    assert_eq!(paths(&zip(&entries, 8, 0, Sizes::Before)), ["b.tgz!a"]);
    let four = gzip(&gzip(&gzip(&gzip(key.as_bytes()))));
    let found = scanner().bytes(&four);
    assert_eq!(found.candidates.len(), 0);
    assert_eq!(found.unread[0].why, Bound::Depth);
}

#[test]
fn base64_of_gzip_is_told_where_the_base64_begins() {
    let text = format!("{}{}", "lorem ipsum dolor ".repeat(9), id());
    let base64 = |bytes: &[u8]| data_encoding::BASE64.encode(bytes);
    for encoded in [
        base64(&gzip(text.as_bytes())),
        base64(base64(&gzip(text.as_bytes())).as_bytes()),
    ] {
        let found = scanner().bytes(format!("a: b\n  release: {encoded}\n").as_bytes());
        let finding = &found.candidates[0].finding;
        assert_eq!((finding.line, finding.column), (2, 12));
        assert_eq!(finding.encoding, crate::scan::detector::Encoding::Base64);
    }
}

#[test]
fn what_is_not_looked_into_is_told() {
    let key = id();
    let why = |content: &[u8]| {
        let found = scanner().bytes(content);
        found.unread.first().map(|unread| unread.why)
    };
    let entries: [(&str, &[u8]); 2] = [("a", key.as_bytes()), ("b", b"x")];
    assert_eq!(why(&zip(&entries, 8, 1, Sizes::Before)), Some(Bound::Encrypted));
    assert_eq!(why(&zip(&entries, 12, 0, Sizes::Before)), Some(Bound::Unreadable));
    assert_eq!(why(&gzip(key.as_bytes())[..25]), Some(Bound::Unreadable));
    let behind = scanner().bytes(&zip(&entries, 8, 1, Sizes::Behind)).unread;
    assert_eq!(
        behind.iter().map(|unread| unread.why).collect::<Vec<_>>(),
        [Bound::Encrypted]
    );
    for (head, packing) in [
        (&b"\xfd7zXZ\0"[..], Packing::Xz),
        (b"\x28\xb5\x2f\xfd", Packing::Zstandard),
        (b"BZh91AY&SY", Packing::Bzip2),
        (b"7z\xbc\xaf\x27\x1c", Packing::SevenZip),
        (b"Rar!\x1a\x07", Packing::Rar),
        (b"# v2 git bundle\n", Packing::GitBundle),
    ] {
        assert_eq!(why(&[head, b"..."].concat()), Some(Bound::NotUnpacked(packing)));
    }
    let bomb = gzip(&vec![b'a'; 1 << 20]);
    assert_eq!(why(&bomb), Some(Bound::Size));
    assert_eq!(why(b"words"), None);
}

#[test]
fn an_entry_behind_one_that_cannot_be_read_is_found() {
    let (key, text) = (id(), b"x");
    let mut content = zip(&[("a", text)], 12, 0, Sizes::Before);
    content.truncate(content.len() - 4);
    content.extend(zip(&[("b", key.as_bytes())], 8, 0, Sizes::Before));
    let found = scanner().bytes(&content);
    assert_eq!(found.candidates[0].finding.path, "b");
    assert_eq!(found.unread.len(), 1);
}

#[test]
fn what_comes_out_is_bounded_in_all() {
    let noise: Vec<u8> = (0..2_u64 << 20)
        .map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60) as u8 * 16)
        .collect();
    let entries: [(&str, &[u8]); 2] = [("a", &noise), ("b", &noise)];
    let found = scanner().bytes(&zip(&entries, 0, 0, Sizes::Before));
    assert_eq!(found.unread.len(), 1);
    assert_eq!(found.unread[0].why, Bound::Size);
}

proptest! {
    #[test]
    fn damage_is_no_panic(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12), cut in any::<prop::sample::Index>()) {
        let key = id();
        let inner = tar(&[("a", b'0', key.as_bytes()), ("b", b'x', b"21 path=another/name\n")]);
        let entries: [(&str, &[u8]); 2] = [("a", &inner), ("b", b"x")];
        for whole in [
            zip(&entries, 8, 0, Sizes::Behind),
            zip(&entries, 0, 0, Sizes::Before),
            gzip(&inner),
            inner.clone(),
            pdf(&[("/Filter/FlateDecode", &inner), ("/Filter/FlateDecode", key.as_bytes())]),
        ] {
            let mut damaged = whole;
            for (at, byte) in &flips {
                let at = at.index(damaged.len());
                damaged[at] = *byte;
            }
            damaged.truncate(cut.index(damaged.len()) + 1);
            scanner().bytes(&damaged);
        }
    }
}
