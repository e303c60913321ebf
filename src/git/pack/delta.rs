//! A delta: pieces to copy from the base, and new bytes.

use std::ops::Range;

/// The sizes of the base and of the result that a delta begins with.
fn size(delta: &mut &[u8]) -> Option<usize> {
    let mut size = 0_usize;
    for shift in (0..usize::BITS - 7).step_by(7) {
        let (byte, rest) = delta.split_first()?;
        *delta = rest;
        size |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(size);
        }
    }
    None
}

/// Writes what the delta makes of the base over `result`; none where it is damaged, or would be larger than `most`.
///
/// `changed` become the places of the result, in their order, that are new; an empty one is where two pieces of the base
/// meet that do not in the base.
pub(super) fn apply(
    base: &[u8],
    mut delta: &[u8],
    result: &mut Vec<u8>,
    changed: &mut Vec<Range<usize>>,
    most: usize,
) -> Option<()> {
    result.clear();
    changed.clear();
    // Where in the base the piece before ends.
    let mut copied = 0;
    let base_size = size(&mut delta)?;
    let result_size = size(&mut delta)?;
    if base_size != base.len() || result_size > most {
        return None;
    }
    result.reserve_exact(result_size);
    while let Some((instruction, rest)) = delta.split_first() {
        delta = rest;
        if instruction & 0x80 == 0 {
            // Zero is reserved.
            let (new, rest) = delta
                .split_at_checked(usize::from(*instruction))
                .filter(|(new, _)| !new.is_empty())?;
            changed.push(result.len()..result.len() + new.len());
            result.extend_from_slice(new);
            delta = rest;
        } else {
            let mut field = |bits: std::ops::Range<u32>| -> Option<usize> {
                let mut value = 0;
                for (place, bit) in bits.enumerate() {
                    if instruction & (1 << bit) != 0 {
                        let (byte, rest) = delta.split_first()?;
                        delta = rest;
                        value |= usize::from(*byte) << (8 * place);
                    }
                }
                Some(value)
            };
            let offset = field(0..4)?;
            let length = match field(4..7)? {
                0 => 0x1_0000,
                length => length,
            };
            if offset != copied {
                changed.push(result.len()..result.len());
            }
            copied = offset.checked_add(length)?;
            result.extend_from_slice(base.get(offset..copied)?);
        }
        if result.len() > result_size {
            return None;
        }
    }
    if copied != base.len() {
        changed.push(result.len()..result.len());
    }
    (result.len() == result_size).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(delta: &[u8]) -> Option<Vec<u8>> {
        let mut result = b"old".to_vec();
        apply(b"0123456789", delta, &mut result, &mut Vec::new(), 100).map(|()| result)
    }

    #[test]
    fn copies_and_new_bytes() {
        let delta = [10, 6, 0b1001_0001, 7, 2, 2, b'a', b'b', 0b1001_0000, 2];
        assert_eq!(applied(&delta).unwrap(), b"78ab01");
    }

    #[test]
    #[expect(clippy::single_range_in_vec_init, reason = "one place has changed")]
    fn what_is_new_and_where_pieces_meet_is_told() {
        let changed = |delta: &[u8]| {
            let mut changed = vec![7..8];
            apply(b"0123456789", delta, &mut Vec::new(), &mut changed, 100).unwrap();
            changed
        };
        let all = [10, 10, 0b1001_0000, 10];
        assert!(changed(&all).is_empty());
        let in_two = [10, 10, 0b1001_0000, 4, 0b1001_0001, 4, 6];
        assert!(changed(&in_two).is_empty());
        let put_between = [10, 12, 0b1001_0000, 4, 2, b'a', b'b', 0b1001_0001, 4, 6];
        assert_eq!(changed(&put_between), [4..6]);
        let cut_out = [10, 8, 0b1001_0000, 4, 0b1001_0001, 6, 4];
        assert_eq!(changed(&cut_out), [4..4]);
        let without_ends = [10, 8, 0b1001_0001, 1, 8];
        assert_eq!(changed(&without_ends), [0..0, 8..8]);
        let twice = [10, 20, 0b1001_0000, 10, 0b1001_0000, 10];
        assert_eq!(changed(&twice), [10..10]);
    }

    #[test]
    fn what_is_damaged_is_none() {
        for delta in [
            &[][..],
            &[10],
            &[9, 1, 1, b'a'],
            &[10, 1, 0],
            &[10, 2, 1, b'a'],
            &[10, 1, 2, b'a', b'b'],
            &[10, 1, 2, b'a'],
            &[10, 4, 0b1001_0001, 7, 4],
            &[10, 1, 0b1001_0001],
            &[10, 101, 1, b'a'],
            &[0x80; 20],
        ] {
            assert_eq!(applied(delta), None, "{delta:?}");
        }
    }
}
