//! All chance in a simulated cluster: numbers that follow from a seed and from what they are for.

/// A number for this seed and these words; the same for ever.
pub fn number(seed: u64, words: &[&str]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&seed.to_le_bytes());
    for word in words {
        hasher.update(word.as_bytes());
        hasher.update(&[0]);
    }
    let bytes = *hasher.finalize().as_bytes();
    u64::from_le_bytes(std::array::from_fn(|index| bytes[index]))
}

/// A number from 0 up to, not including, 1.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a float's mantissa")]
pub fn fraction(seed: u64, words: &[&str]) -> f64 {
    (number(seed, words) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Letters as Kubernetes chooses them for names: no vowels, nothing that looks like something else.
pub fn letters(mut number: u64, length: usize) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    let mut text = String::with_capacity(length);
    for _ in 0..length {
        let index = usize::try_from(number % 27).expect("below 27");
        text.push(char::from(ALPHABET[index]));
        number /= 27;
    }
    text
}

/// A UUID of version 4 by its looks.
pub fn uuid(seed: u64, words: &[&str]) -> String {
    let high = number(seed, words);
    let low = number(high, words);
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_follows_from_the_seed() {
        assert_eq!(number(1, &["a", "b"]), number(1, &["a", "b"]));
        assert_ne!(number(1, &["a", "b"]), number(2, &["a", "b"]));
        assert_ne!(number(1, &["ab"]), number(1, &["a", "b"]));
        assert!((0.0..1.0).contains(&fraction(7, &["x"])));
        assert_eq!(letters(u64::MAX, 5).len(), 5);
        assert_eq!(uuid(1, &["x"]).len(), 36);
    }
}
