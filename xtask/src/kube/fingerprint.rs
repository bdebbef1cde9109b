//! What files say, as a short word to be kept with what was made of them.

/// FNV-1a of 64 bits: the same in every version of this program. It tells changes, and is
/// no protection against anybody.
pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut sum: u64 = 0xcbf2_9ce4_8422_2325;
    let mut add = |byte: u8| sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    for part in parts {
        part.bytes().for_each(&mut add);
        // No byte of any text: where one part ends is told as well.
        add(0xff);
    }
    format!("{sum:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_each_time_and_another_for_other_parts() {
        assert_eq!(of([]), "cbf29ce484222325");
        // FNV-1a of "foobar" is 85944171f73967e8; the end of the part follows.
        let sum = (0x8594_4171_f739_67e8_u64 ^ 0xff).wrapping_mul(0x0100_0000_01b3);
        assert_eq!(of(["foobar"]), format!("{sum:016x}"));
        assert_ne!(of(["foo", "bar"]), of(["foobar"]));
        assert_ne!(of(["foo", "bar"]), of(["fooba", "r"]));
    }
}
