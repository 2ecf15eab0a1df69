//! rpm's own database (`lib/backend/ndb/rpmpkg.c`): pages of slots, each naming a blob by its place in blocks of 16 bytes.

const MAGIC: u32 = u32::from_le_bytes(*b"RpmP");
const SLOT: u32 = u32::from_le_bytes(*b"Slot");
const BLOB: u32 = u32::from_le_bytes(*b"BlbS");
const PAGE: usize = 4096;
const BLOCK: usize = 16;
const HEAD: usize = 16;

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn blobs(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    if le32(bytes, 0)? != MAGIC || le32(bytes, 4)? != 0 {
        return None;
    }
    let slots = bytes.get(..usize::try_from(le32(bytes, 12)?).ok()?.checked_mul(PAGE)?)?;
    let mut found = Vec::new();
    let mut taken = 0;
    // The header has the room of two slots.
    for slot in slots.chunks_exact(BLOCK).skip(2) {
        if le32(slot, 0)? != SLOT {
            return None;
        }
        let (index, offset) = (le32(slot, 4)?, usize::try_from(le32(slot, 8)?).ok()?);
        if index == 0 || offset == 0 {
            continue;
        }
        let start = offset.checked_mul(BLOCK)?;
        if le32(bytes, start)? != BLOB || le32(bytes, start + 4)? != index {
            return None;
        }
        let length = usize::try_from(le32(bytes, start + 12)?).ok()?;
        let blob = bytes.get(start + HEAD..(start + HEAD).checked_add(length)?)?;
        // Slots may all name the same place; their sum may not be more than there is.
        taken += length;
        if taken > bytes.len() {
            return None;
        }
        found.push(blob.to_vec());
    }
    Some(found)
}
