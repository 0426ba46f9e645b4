//! Questions to 64 bytes at once, answered with one bit for each byte: the loops become vector code, and what is rare
//! is found by counting zeros instead of looking at every byte.

/// Bytes that one mask tells of.
pub(super) const BLOCK: usize = 64;

/// Ones that make a row: letters and digits of the shortest secret.
pub(super) const ROW: usize = 12;

/// What `is` says of each byte of the block, 0 or 1, the first byte in the lowest bit.
#[inline]
pub(super) fn mask(block: &[u8; BLOCK], is: impl Fn(u8) -> u8) -> u64 {
    // Brings the lowest bits of eight bytes together in the highest byte, in their order.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut said = [0; BLOCK];
    for (said, byte) in said.iter_mut().zip(block) {
        *said = is(*byte);
    }
    let eights = said.as_chunks::<8>().0.iter().rev();
    eights.fold(0, |mask, eight| mask << 8 | u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56)
}

/// The offset in the first mask at which [`ROW`] ones start; they may go on in the second.
#[inline]
pub(super) fn row(first: u64, second: u64) -> Option<usize> {
    let ones = u128::from(second) << 64 | u128::from(first);
    let two = ones & ones >> 1;
    let four = two & two >> 2;
    let twelve = four & four >> 4 & four >> 8;
    let offset = twelve.trailing_zeros() as usize;
    (offset < BLOCK).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, mask, row};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn rows_are_found_across_the_border() {
        for start in 0..BLOCK {
            for length in [11u32, 12, 13, 40] {
                let ones = ((1u128 << length) - 1) << start | 1 << 120;
                let found = row(ones as u64, (ones >> 64) as u64);
                assert_eq!(found, (length >= 12).then_some(start), "{start} {length}");
            }
        }
        assert_eq!(row(0, u64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_byte_has_its_bit(bits in any::<u64>()) {
            let mut block = [b'-'; BLOCK];
            for (offset, byte) in block.iter_mut().enumerate() {
                *byte = if bits >> offset & 1 == 1 { b'x' } else { b'-' };
            }
            prop_assert_eq!(mask(&block, |byte| u8::from(byte == b'x')), bits);
        }
    }
}
