//! Views of slices, checked when they are made: shape and strides stay inside the slice.
use crate::{sys, Error, Result};
use std::marker::PhantomData;

mod sealed {
    pub trait Sealed {}
}

/// Types that arrays of the library may have.
pub trait Element: Copy + sealed::Sealed {
    const DTYPE: i32;
}

macro_rules! elements {
    ($($t:ty, $dtype:ident;)*) => { $(impl sealed::Sealed for $t {} impl Element for $t { const DTYPE: i32 = sys::$dtype; })* };
}
elements! { f32, MESAOPT_F32; f64, MESAOPT_F64; i32, MESAOPT_I32; i64, MESAOPT_I64; }

/// Elements that a call reads.
#[derive(Clone, Copy)]
pub struct View<'a> {
    raw: sys::mesaopt_view,
    of: PhantomData<&'a ()>,
}

/// Elements that a call writes.
pub struct ViewMut<'a> {
    raw: sys::mesaopt_view,
    of: PhantomData<&'a mut ()>,
}

fn dense(shape: &[usize]) -> Vec<isize> {
    let mut strides = vec![1isize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i].max(1) as isize);
    }
    strides
}

/// The struct, when every element that shape and strides name lies in a slice of `len` elements, the first at `start`.
fn raw<T: Element>(data: *mut T, len: usize, start: usize, shape: &[usize], strides: &[isize], flags: u32) -> Result<sys::mesaopt_view> {
    let wrong = |what: &str| Error::Shape(format!("view: shape {shape:?}, strides {strides:?} of a slice of {len} elements: {what}"));
    if shape.len() > sys::MESAOPT_MAX_RANK || strides.len() != shape.len() {
        return Err(wrong("expected at most 6 axes, and a stride for each"));
    }
    let mut v = sys::mesaopt_view { data: data.cast(), shape: [0; 6], stride: [0; 6], ndim: shape.len() as i32, dtype: T::DTYPE, flags, reserved: 0 };
    let (mut low, mut high) = (start as i128, start as i128);
    for (i, (&n, &s)) in shape.iter().zip(strides).enumerate() {
        v.shape[i] = i64::try_from(n).map_err(|_| wrong("too large"))?;
        v.stride[i] = s as i64;
        let reach = (n as i128 - 1).max(0) * s as i128;
        if reach < 0 { low += reach } else { high += reach }
    }
    if !shape.contains(&0) {
        if low < 0 || high >= len as i128 {
            return Err(wrong("elements outside"));
        }
        v.data = unsafe { data.add(start) }.cast();
    }
    Ok(v)
}

impl<'a> View<'a> {
    /// Dense, row-major: all of a slice.
    pub fn new<T: Element>(data: &'a [T], shape: &[usize]) -> Result<Self> {
        exactly(data.len(), shape)?;
        Self::strided(data, 0, shape, &dense(shape))
    }

    /// Any strides, in elements; the first element is `data[start]`.
    pub fn strided<T: Element>(data: &'a [T], start: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        let raw = raw(data.as_ptr() as *mut T, data.len(), start, shape, strides, sys::MESAOPT_VIEW_READONLY)?;
        Ok(View { raw, of: PhantomData })
    }

    pub fn as_ptr(&self) -> *const sys::mesaopt_view {
        &self.raw
    }

    pub fn raw(&self) -> sys::mesaopt_view {
        self.raw
    }
}

impl<'a> ViewMut<'a> {
    pub fn new<T: Element>(data: &'a mut [T], shape: &[usize]) -> Result<Self> {
        exactly(data.len(), shape)?;
        Self::strided(data, 0, shape, &dense(shape))
    }

    pub fn strided<T: Element>(data: &'a mut [T], start: usize, shape: &[usize], strides: &[isize]) -> Result<Self> {
        Ok(ViewMut { raw: raw(data.as_mut_ptr(), data.len(), start, shape, strides, 0)?, of: PhantomData })
    }

    pub fn as_ptr(&mut self) -> *const sys::mesaopt_view {
        &self.raw
    }

    pub fn raw(&mut self) -> sys::mesaopt_view {
        self.raw
    }
}

fn exactly(len: usize, shape: &[usize]) -> Result<()> {
    let n = shape.iter().try_fold(1usize, |n, &m| n.checked_mul(m));
    if n == Some(len) {
        return Ok(());
    }
    Err(Error::Shape(format!("view: shape {shape:?} of a slice of {len} elements")))
}

/// Two lists of which C is told one length.
pub(crate) fn one_each(name: &str, len: usize, of: &str, count: usize) -> Result<()> {
    if len == count {
        return Ok(());
    }
    Err(Error::Argument(format!("{name}: {len}, expected one for each of {count} {of}")))
}

pub(crate) fn optional(v: Option<View<'_>>) -> (sys::mesaopt_view, bool) {
    let empty = sys::mesaopt_view { data: std::ptr::null_mut(), shape: [0; 6], stride: [0; 6], ndim: 0, dtype: sys::MESAOPT_F64, flags: 0, reserved: 0 };
    v.map_or((empty, false), |v| (v.raw, true))
}

/// NULL where there is no view.
pub(crate) fn pointer(v: &(sys::mesaopt_view, bool)) -> *const sys::mesaopt_view {
    if v.1 { &v.0 } else { std::ptr::null() }
}
