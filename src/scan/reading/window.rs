//! The memory that a stream is read into.

use std::ops::{Deref, DerefMut};

use super::WINDOW;

/// Where memory begins that the kernel copies to at full speed. AMD's processors of the Zen family copy to what begins 16
/// to 63 bytes behind a page, as large pieces of memory from malloc do, at a half to a third of the speed
/// (<https://xuanwo.io/2023/04-rust-std-fs-slower-than-python/>).
const ALIGNMENT: usize = 4096;

/// [`WINDOW`] bytes that begin at a page.
pub(super) struct Window {
    memory: Vec<u8>,
    start: usize,
}

impl Default for Window {
    fn default() -> Self {
        let memory = vec![0; WINDOW + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start }
    }
}

impl Deref for Window {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..][..WINDOW]
    }
}

impl DerefMut for Window {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..WINDOW]
    }
}
