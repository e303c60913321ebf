//! Git LFS keeps large files beside the repository, and a pointer in it: the file is what would be published.

use std::fs::File;
use std::io::{self, Read};

use super::Repository;

/// The specification lets no pointer be as long as this.
const LONGEST_POINTER: usize = 1024;
const BEGINNING: &str = "version https://git-lfs.github.com/spec/";

impl Repository {
    /// Gives `look` the content, or, where that is a pointer whose file is here, the file. A pointer whose file was not
    /// fetched stands for itself: git too would commit the pointer.
    ///
    /// # Errors
    ///
    /// When the content or the file cannot be read.
    pub fn resolved<T>(
        &self,
        content: &mut dyn Read,
        look: impl FnOnce(&mut dyn Read) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut start = Vec::with_capacity(LONGEST_POINTER);
        content.take(LONGEST_POINTER as u64).read_to_end(&mut start)?;
        let pointed = may_be_pointer(&start).then(|| object_named_by(&start)).flatten();
        if let Some(name) = pointed {
            let folder = self.common.join("lfs/objects").join(&name[..2]).join(&name[2..4]);
            match File::open(folder.join(&name)) {
                Ok(mut file) => return look(&mut file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        look(&mut start.chain(content))
    }
}

/// Whether a content is worth a closer look.
pub fn may_be_pointer(content: &[u8]) -> bool {
    content.len() < LONGEST_POINTER && content.starts_with(BEGINNING.as_bytes())
}

/// `version https://git-lfs.github.com/spec/v1`, then sorted lines, one of them `oid sha256:HEX`.
fn object_named_by(pointer: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(pointer).ok()?;
    let mut lines = text.lines();
    lines.next()?.strip_prefix(BEGINNING)?;
    let name = lines.find_map(|line| line.strip_prefix("oid sha256:"))?;
    let is_hex = name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    is_hex.then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_pointer_names_an_object() {
        let name = "0123456789abcdef".repeat(4);
        let pointer = format!("version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize 12345\n");
        assert_eq!(object_named_by(pointer.as_bytes()), Some(name.clone()));
        let outward = pointer.replace("0123", "../.");
        assert_eq!(object_named_by(outward.as_bytes()), None);
        assert_eq!(object_named_by(format!("oid sha256:{name}").as_bytes()), None);
    }
}
