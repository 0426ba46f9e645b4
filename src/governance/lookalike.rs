//! A name as a person reads it, for deny lists: case, width, accents and invisible characters do not count, and letters
//! that look alike are the same letter.
//!
//! A character that cannot be told this way stands for any other in a name that otherwise reads as Latin: nobody writes
//! `delete` half in another script but to pass for something else.

use unicode_normalization::UnicodeNormalization;

/// Stands for any one character of a pattern.
pub(super) const UNREADABLE: char = '\u{FFFD}';

/// The characters of `text` as they read.
pub(super) fn folded(text: &str) -> Vec<char> {
    if text.is_ascii() {
        return text.chars().map(plain).collect();
    }
    let read = text.nfkd().filter(|c| !has_no_width(*c)).flat_map(|c| {
        let seen = resembled(c);
        seen.to_lowercase().map(resembled).map(plain)
    });
    let read: Vec<char> = read.collect();
    let reads_as_latin = read.iter().any(char::is_ascii_alphabetic);
    let settle = |c: char| match c {
        c if c.is_ascii() => c,
        c if !reads_as_latin && looks_like_nothing_latin(c) => c,
        _ => UNREADABLE,
    };
    read.into_iter().map(settle).collect()
}

/// ASCII without case and without the look-alikes `I`, `l`, `1`, `|` and `O`, `0`.
fn plain(c: char) -> char {
    match c.to_ascii_lowercase() {
        'i' | '1' | '|' => 'l',
        '0' => 'o',
        other => other,
    }
}

/// Marks on letters, and what is not shown at all (Unicode, `Default_Ignorable_Code_Point`).
fn has_no_width(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x300..=0x36F | 0x483..=0x489 | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F
        | 0x1AB0..=0x1AFF | 0x1DC0..=0x1DFF | 0x200B..=0x200F | 0x202A..=0x202E | 0x2060..=0x206F
        | 0x20D0..=0x20FF | 0x3164 | 0xFE00..=0xFE0F | 0xFE20..=0xFE2F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8
        | 0x1BCA0..=0x1BCA3 | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
        || c.is_control()
}

/// The ASCII letter that one of another alphabet looks like. Capitals are asked before they lose their case: a Greek
/// capital eta reads as H, its small form as n.
fn resembled(c: char) -> char {
    const PAIRS: &[(&str, &str)] = &[
        // Cyrillic
        ("АВЕЅІЈКМНОРСТУХԚԜԌӀ", "ABESIJKMHOPCTYXQWGI"),
        ("авгеѕіјкмнопрстухһӏԁԛԝѵьԍ", "abresijkmhonpctyxhldqwvbg"),
        // Greek
        ("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹ", "ABEZHIKMNOPTYXC"),
        ("αβγεηικνορστυχωϲ", "abyenikvopotuxwc"),
        // Latin with strokes, hooks and small capitals
        ("øđłħŧɨƀƶɑɡɩıɛʀᴀʙᴄᴅᴇʜɪᴊᴋʟᴍɴᴏᴘᴛᴜᴠᴡʏᴢɢ", "odlhtibzagiierabcdehijklmnoptuvwyzg"),
        ("ØĐŁĦŦƗɃƵ", "ODLHTIBZ"),
        // Armenian, Cherokee, Lisu
        ("օսհոցԼՏՕ", "ouhngLSO"),
        ("ᎠᎡᎢᎪᎫᎬᎳᎷᎻᎽᏀᏃᏎᏏᏒᏔᏕᏙᏚᏞᏟᏢᏦᏴ", "DRTAJEWMHYGZ4bRWSVSLCPKB"),
        ("ꓐꓑꓒꓓꓔꓖꓗꓙꓚꓜꓝꓟꓠꓡꓢꓣꓦꓧꓪꓫꓬꓮꓰꓲꓳꓴ", "BPdDTGKJCZFMNLSRVHWXYAEIOU"),
        // Dashes and strokes
        ("‐‑‒–—―−⁃˗", "---------"),
        ("‿⁀", "__"),
        ("⁄∕", "//"),
    ];
    if c.is_ascii() {
        return c;
    }
    let found = PAIRS.iter().find_map(|(seen, read)| {
        let at = seen.chars().position(|known| known == c)?;
        read.chars().nth(at)
    });
    found.unwrap_or(c)
}

/// Letters of scripts that share no shapes with Latin ones to speak of.
fn looks_like_nothing_latin(c: char) -> bool {
    c.is_alphanumeric()
        && matches!(u32::from(c),
            0x0590..=0x11FF | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xAC00..=0xD7AF
            | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        folded(text).into_iter().collect()
    }

    #[test]
    fn disguises_read_as_what_they_look_like() {
        let plain = read("delete_all");
        for disguised in [
            "DELETE_ALL",
            "deIete_a11",
            "d\u{435}lete_all",
            "de\u{200b}lete_\u{2060}all",
            "\u{ff44}\u{ff45}\u{ff4c}ete\u{ff3f}all",
            "de\u{301}lete_all",
            "\u{1d41d}elete_all",
            "ꓓꓰꓡꓰꓔꓰ_ALL",
            "\u{501}еӏет\u{435}_аӏӏ",
        ] {
            assert_eq!(read(disguised), plain, "{disguised}");
        }
    }

    #[test]
    fn tables_name_a_letter_for_each_letter() {
        for c in "АωɢՕᏴꓴ‿∕".chars() {
            assert!(resembled(c).is_ascii(), "{c}");
        }
        assert_eq!([resembled('Η'), resembled('η'), resembled('Z')], ['H', 'n', 'Z']);
    }

    #[test]
    fn other_scripts_stand_for_themselves_unless_they_are_mixed_in() {
        assert_eq!(read("削除"), "削除");
        assert_eq!(read("d削lete"), format!("d{UNREADABLE}lete"));
        assert_eq!(read("\u{10300}"), UNREADABLE.to_string());
    }
}
