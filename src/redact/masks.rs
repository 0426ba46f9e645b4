//! Questions to 64 bytes at once, answered with one bit for each byte, the first byte in the lowest bit: what is rare
//! is found by counting zeros instead of looking at every byte.

use wide::u8x16;

/// Bytes that one mask tells of.
pub(super) const BLOCK: usize = 64;

/// Ones that make a row: letters and digits of the shortest secret.
pub(super) const ROW: usize = 12;

/// Sixteen bytes, or what was said of each of them: all ones or zero.
pub(super) type Lanes = u8x16;

/// The lanes with this byte.
#[inline(always)]
pub(super) fn is(lanes: Lanes, byte: u8) -> Lanes {
    lanes.simd_eq(u8x16::splat(byte))
}

/// The lanes from `low` to `high`.
#[inline(always)]
pub(super) fn within(lanes: Lanes, low: u8, high: u8) -> Lanes {
    (lanes - u8x16::splat(low)).simd_le(u8x16::splat(high - low))
}

/// The letters of ASCII.
#[inline(always)]
pub(super) fn letters(lanes: Lanes) -> Lanes {
    within(lanes | u8x16::splat(0x20), b'a', b'z')
}

/// What belongs to a run: letters, digits, `_`, `-` and `.`.
#[inline(always)]
pub(super) fn runs(lanes: Lanes) -> Lanes {
    letters(lanes) | within(lanes, b'0', b'9') | is(lanes, b'_') | within(lanes, b'-', b'.')
}

/// 64 bytes.
#[derive(Clone, Copy)]
pub(super) struct Block([Lanes; 4]);

impl Block {
    #[inline(always)]
    pub(super) fn new(bytes: &[u8; BLOCK]) -> Self {
        let sixteens = bytes.as_chunks::<16>().0;
        Self(std::array::from_fn(|index| u8x16::new(sixteens[index])))
    }

    /// What `is` says of each byte.
    #[inline(always)]
    pub(super) fn mask(&self, is: impl Fn(Lanes) -> Lanes) -> u64 {
        let [a, b, c, d] = self.0.map(|lanes| u64::from(is(lanes).to_bitmask()));
        a | b << 16 | c << 32 | d << 48
    }
}

/// 32 bytes.
#[derive(Clone, Copy)]
pub(super) struct Half([Lanes; 2]);

impl Half {
    #[inline(always)]
    pub(super) fn new(bytes: &[u8; 32]) -> Self {
        let sixteens = bytes.as_chunks::<16>().0;
        Self(std::array::from_fn(|index| u8x16::new(sixteens[index])))
    }

    /// What `is` says of each byte.
    #[inline(always)]
    pub(super) fn mask(&self, is: impl Fn(Lanes) -> Lanes) -> u32 {
        let [a, b] = self.0.map(|lanes| is(lanes).to_bitmask());
        a | b << 16
    }
}

/// The lowest `count` bits.
#[inline(always)]
pub(super) fn below(count: usize) -> u64 {
    if count >= BLOCK { u64::MAX } else { (1 << count) - 1 }
}

/// The places in the first mask at which [`ROW`] ones begin or go on; they may reach into the second mask.
#[inline]
pub(super) fn rows(first: u64, second: u64) -> u64 {
    let ones = u128::from(second) << 64 | u128::from(first);
    let two = ones & ones >> 1;
    let four = two & two >> 2;
    (four & four >> 4 & four >> 8) as u64
}

/// The offsets of the ones, from the lowest on.
#[inline(always)]
pub(super) fn ones(mut mask: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let offset = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (offset < BLOCK).then_some(offset)
    })
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Block, is, letters, ones, rows, runs, within};
    use proptest::prelude::{any, prop_assert_eq, proptest};

    #[test]
    fn rows_are_found_across_the_border() {
        for start in 0..BLOCK {
            for length in [11u32, 12, 13, 40] {
                let bits = ((1u128 << length) - 1) << start | 1 << 120;
                let found = rows(bits as u64, (bits >> 64) as u64);
                let first = (found != 0).then_some(found.trailing_zeros() as usize);
                assert_eq!(first, (length >= 12).then_some(start), "{start} {length}");
            }
        }
        assert_eq!(rows(0, u64::MAX), 0);
        assert_eq!(ones(1 << 63 | 5).collect::<Vec<_>>(), [0, 2, 63]);
        assert_eq!(ones(0).count(), 0);
    }

    #[test]
    fn every_byte_is_judged_as_it_is() {
        for byte in 0..=255u8 {
            let block = Block::new(&[byte; BLOCK]);
            let said = |said: bool| if said { u64::MAX } else { 0 };
            assert_eq!(block.mask(letters), said(byte.is_ascii_alphabetic()), "{byte}");
            let run = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
            assert_eq!(block.mask(runs), said(run), "{byte}");
            assert_eq!(block.mask(|lanes| within(lanes, 3, 200)), said((3..=200).contains(&byte)), "{byte}");
        }
    }

    proptest! {
        #[test]
        fn every_byte_has_its_bit(bits in any::<u64>()) {
            let mut block = [b'-'; BLOCK];
            for (offset, byte) in block.iter_mut().enumerate() {
                *byte = if bits >> offset & 1 == 1 { b'x' } else { b'-' };
            }
            prop_assert_eq!(Block::new(&block).mask(|lanes| is(lanes, b'x')), bits);
        }
    }
}
