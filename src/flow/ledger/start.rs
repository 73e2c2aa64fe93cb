//! Opens the ledger at first use, and again if that failed.

use super::ledger_store::LedgerStore;
use super::sql::Sql;
use std::cell::RefCell;
use std::rc::Rc;

/// A ledger that is open or not yet. Its object lives as long as it gets
/// requests, so a failed start must not be kept: each request tries again.
pub struct LedgerStart<S>(RefCell<Option<Rc<LedgerStore<S>>>>);

impl<S> Default for LedgerStart<S> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<S: Sql> LedgerStart<S> {
    /// The ledger; `open` opens it if necessary.
    pub fn get(
        &self,
        open: impl FnOnce() -> Result<LedgerStore<S>, String>,
    ) -> Result<Rc<LedgerStore<S>>, String> {
        if let Some(ledger) = self.0.borrow().as_ref() {
            return Ok(Rc::clone(ledger));
        }
        let ledger = Rc::new(open()?);
        *self.0.borrow_mut() = Some(Rc::clone(&ledger));
        Ok(ledger)
    }
}
