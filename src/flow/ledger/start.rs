//! Opening the ledger when it is first needed, and again if that failed.

use super::ledger_store::LedgerStore;
use super::sql::Sql;
use std::cell::RefCell;
use std::rc::Rc;

/// A ledger that is open or not yet. Its object lives as long as it is asked
/// now and then, so a start that fails must not be kept: each question tries
/// anew.
pub struct LedgerStart<S>(RefCell<Option<Rc<LedgerStore<S>>>>);

impl<S> Default for LedgerStart<S> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<S: Sql> LedgerStart<S> {
    /// The ledger, which `open` opens if it is not open.
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
