//! Shared data that is equal only to itself: a prop that is compared by pointer.

use std::ops::Deref;
use std::rc::Rc;
use yew::html::ImplicitClone;

/// An `Rc` that compares by pointer.
#[derive(Debug)]
pub struct Same<T: ?Sized>(pub Rc<T>);

impl<T: ?Sized> Clone for Same<T> {
    fn clone(&self) -> Self {
        Same(self.0.clone())
    }
}

impl<T: ?Sized> ImplicitClone for Same<T> {}

impl<T: ?Sized> PartialEq for Same<T> {
    fn eq(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
    }
}

impl<T: ?Sized> Deref for Same<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: ?Sized> From<&Rc<T>> for Same<T> {
    fn from(it: &Rc<T>) -> Self {
        Same(it.clone())
    }
}
