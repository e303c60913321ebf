//! A delta: pieces to copy from the base, and new bytes.

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
pub(super) fn apply(base: &[u8], mut delta: &[u8], result: &mut Vec<u8>, most: usize) -> Option<()> {
    result.clear();
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
            result.extend_from_slice(base.get(offset..offset.checked_add(length)?)?);
        }
        if result.len() > result_size {
            return None;
        }
    }
    (result.len() == result_size).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(delta: &[u8]) -> Option<Vec<u8>> {
        let mut result = b"old".to_vec();
        apply(b"0123456789", delta, &mut result, 100).map(|()| result)
    }

    #[test]
    fn copies_and_new_bytes() {
        let delta = [10, 6, 0b1001_0001, 7, 2, 2, b'a', b'b', 0b1001_0000, 2];
        assert_eq!(applied(&delta).unwrap(), b"78ab01");
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
