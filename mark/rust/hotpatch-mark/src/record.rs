//! The records that hotpatch reads from the library's file: sections hp_marks and hp_types, version 1. docs/marks.md
//! specifies their bytes; texts end in NUL.

/// What the callers of a marked function rely on. `N`: arguments and result.
#[repr(C, align(8))]
pub struct FunctionRecord<const N: usize> {
    magic: [u8; 8],
    bytes: u32,
    layouts: u32,
    entry: *const (),
    name: *const u8,
    signature: *const u8,
    place: *const u8,
    layout: [Layout; N],
}

// SAFETY: never written, and its pointers refer to constants.
unsafe impl<const N: usize> Sync for FunctionRecord<N> {}

impl<const N: usize> FunctionRecord<N> {
    /// `place`: `file:line`, for people.
    pub const fn new(
        entry: *const (),
        name: &'static str,
        signature: &'static str,
        place: &'static str,
        layout: [Layout; N],
    ) -> Self {
        Self {
            magic: *b"HPMARKS1",
            bytes: size_of::<Self>() as u32,
            layouts: N as u32,
            entry,
            name: text(name),
            signature: text(signature),
            place: text(place),
            layout,
        }
    }
}

/// The layout of an argument or a result.
#[repr(C)]
pub struct Layout {
    size: u64,
    align: u64,
    hash: u64,
}

impl Layout {
    /// `hash` 0: only size and alignment are known.
    pub const fn new<T>(hash: u64) -> Self {
        Self {
            size: size_of::<T>() as u64,
            align: align_of::<T>() as u64,
            hash,
        }
    }
}

/// The offsets of a type's fields. `N`: fields, or variants.
#[repr(C, align(8))]
pub struct TypeRecord<const N: usize> {
    magic: [u8; 8],
    bytes: u32,
    parts: u32,
    size: u64,
    align: u64,
    name: *const u8,
    part: [Part; N],
}

// SAFETY: as above.
unsafe impl<const N: usize> Sync for TypeRecord<N> {}

impl<const N: usize> TypeRecord<N> {
    /// Of `T`.
    pub const fn new<T>(name: &'static str, part: [Part; N]) -> Self {
        Self {
            magic: *b"HPTYPES1",
            bytes: size_of::<Self>() as u32,
            parts: N as u32,
            size: size_of::<T>() as u64,
            align: align_of::<T>() as u64,
            name: text(name),
            part,
        }
    }
}

/// The offset of a variant, which has none.
pub const NO_OFFSET: usize = usize::MAX;

/// A field or a variant.
#[repr(C)]
pub struct Part {
    offset: u64,
    size: u64,
    name: *const u8,
    text: *const u8,
}

impl Part {
    /// `text`: the field's type, or what follows the variant's name.
    pub const fn new(name: &'static str, text_: &'static str, offset: usize, size: usize) -> Self {
        Self {
            offset: offset as u64,
            size: size as u64,
            name: text(name),
            text: text(text_),
        }
    }
}

/// Refuses unterminated texts at build time.
pub(crate) const fn text(text: &'static str) -> *const u8 {
    let bytes = text.as_bytes();
    assert!(
        !bytes.is_empty() && bytes[bytes.len() - 1] == 0,
        "a record's text must end in NUL"
    );
    bytes.as_ptr()
}
