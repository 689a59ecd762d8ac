//! What many objects have in common, kept once: tenants differ less than they are many.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

/// Things by the bytes that they are made from.
#[derive(Debug)]
pub struct Pool<T> {
    known: BTreeMap<Bytes, Arc<T>>,
    sweep_at: usize,
}

/// Below this many nothing is looked through for what nobody uses any more.
const FEW: usize = 1024;

impl<T> Pool<T> {
    /// The one thing for these bytes, made if there is none yet.
    pub fn one(&mut self, bytes: Vec<u8>, make: impl FnOnce(Bytes) -> T) -> Arc<T> {
        if let Some(known) = self.known.get(bytes.as_slice()) {
            return known.clone();
        }
        self.sweep();
        // Without what a growing vector keeps in reserve.
        let bytes = Bytes::from(bytes.into_boxed_slice());
        let one = Arc::new(make(bytes.clone()));
        self.known.insert(bytes, one.clone());
        one
    }

    fn sweep(&mut self) {
        if self.sweep_at <= self.known.len() {
            self.known.retain(|_, one| 1 < Arc::strong_count(one));
            self.sweep_at = FEW.max(2 * self.known.len());
        }
    }
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            known: BTreeMap::new(),
            sweep_at: FEW,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_give_the_same_thing_and_what_nobody_uses_goes() {
        let mut pool = Pool::default();
        let one = pool.one(b"a".to_vec(), |bytes| bytes);
        assert!(Arc::ptr_eq(&one, &pool.one(b"a".to_vec(), |bytes| bytes)));
        for number in 0..2 * FEW {
            pool.one(number.to_string().into_bytes(), |bytes| bytes);
        }
        assert!(pool.known.len() <= FEW + 1, "{}", pool.known.len());
        assert!(Arc::ptr_eq(&one, &pool.one(b"a".to_vec(), |bytes| bytes)));
    }
}
