//! What many objects have in common, kept once: tenants differ less than they are many.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use serde_json::{Map, Value};

/// Members of a JSON object, without its braces.
#[derive(Debug, Default)]
pub struct Members {
    pub json: Bytes,
    tree: OnceLock<Tree>,
}

impl PartialEq for Members {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

pub type Tree = Arc<Map<String, Value>>;

/// All members that anybody uses.
#[derive(Debug, Default)]
pub struct Pool {
    known: BTreeMap<Bytes, Arc<Members>>,
    /// With so many it is looked through for what nobody uses any more.
    sweep_at: usize,
}

const FEW: usize = 1024;
/// Records and bundles are larger; every write of them makes another that no other object has in common.
const LARGE: usize = 4096;

impl Pool {
    pub fn one(&mut self, json: Vec<u8>) -> Arc<Members> {
        if let Some(known) = self.known.get(json.as_slice()) {
            return known.clone();
        }
        self.sweep();
        let one = Arc::new(Members::of(json));
        self.known.insert(one.json.clone(), one.clone());
        one
    }

    /// Of an object that may be a record or a bundle: large ones are kept apart.
    pub fn one_unless_large(&mut self, json: Vec<u8>) -> Arc<Members> {
        if LARGE < json.len() {
            Arc::new(Members::of(json))
        } else {
            self.one(json)
        }
    }

    fn sweep(&mut self) {
        if self.sweep_at.max(FEW) <= self.known.len() {
            self.known.retain(|_, one| 1 < Arc::strong_count(one));
            self.sweep_at = self.known.len() + self.known.len() / 2;
        }
    }
}

/// What so many have in common is read once for all of them; a tree takes ten times as much as its text.
const MANY: usize = 16;

impl Members {
    pub fn of(json: Vec<u8>) -> Self {
        Self {
            // Without what a growing vector keeps in reserve.
            json: json.into_boxed_slice().into(),
            tree: OnceLock::new(),
        }
    }

    pub fn tree(self: &Arc<Self>) -> Tree {
        if Arc::strong_count(self) < MANY {
            return self.tree.get().cloned().unwrap_or_else(|| self.read());
        }
        self.tree.get_or_init(|| self.read()).clone()
    }

    fn read(&self) -> Tree {
        let json = [b"{", self.json.as_ref(), b"}"].concat();
        let tree: Map<String, Value> = serde_json::from_slice(&json).expect("written by ourselves");
        Arc::new(tree)
    }
}

pub fn write_member(out: &mut Vec<u8>, key: &str, member: &Value) {
    write_json(out, &Value::from(key));
    out.push(b':');
    write_json(out, member);
}

pub fn write_json(out: &mut Vec<u8>, value: &Value) {
    serde_json::to_writer(out, value).expect("a JSON tree is written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_members_are_kept_once_and_what_nobody_uses_goes() {
        let mut pool = Pool::default();
        let one = pool.one(b"\"a\":1".to_vec());
        assert_eq!(one.tree()["a"], 1);
        for number in 0..2 * FEW {
            pool.one(number.to_string().into_bytes());
        }
        assert!(pool.known.len() <= FEW + 1, "{}", pool.known.len());
        assert!(Arc::ptr_eq(&one, &pool.one(b"\"a\":1".to_vec())));
        let known = pool.known.len();
        let large = pool.one_unless_large(vec![b'1'; 2 * LARGE]);
        assert_eq!((large.json.len(), pool.known.len()), (2 * LARGE, known));
    }
}
