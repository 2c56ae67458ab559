//! The macros of `hotpatch-mark`, which re-exports and documents them. Nobody depends on this crate directly.

mod derive;
mod expand;
mod rules;
mod text;

use proc_macro::TokenStream;
use quote::quote;

/// Marks a function: see `hotpatch_mark::hotpatch`.
#[proc_macro_attribute]
pub fn hotpatch(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let item = proc_macro2::TokenStream::from(item);
    match expand::hotpatch(arguments.into(), item.clone()) {
        Ok(expanded) => expanded.into(),
        // Keep the item: a missing name would only cause more errors elsewhere.
        Err(error) => {
            let error = error.to_compile_error();
            quote!(#error #item).into()
        }
    }
}

/// Lets hotpatch detect a changed layout: see `hotpatch_mark::HotpatchLayout`.
#[proc_macro_derive(HotpatchLayout)]
pub fn hotpatch_layout(item: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(item as syn::DeriveInput);
    derive::layout(&input).into()
}
