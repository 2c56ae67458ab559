//! What a marked function becomes:
//!
//! ```text
//! unsafe fn damage(player: &mut Player, amount: i32) -> i32 {  what callers see; each copy has one
//!     unsafe fn __hotpatch_body(player: ..., ...) {...}        what the author wrote
//!     extern "C" fn __hotpatch_caught(...) -> Result           runs the body; a panic is a value from here on
//!     extern "C" fn __hotpatch_entry(...) -> Result            one 8-byte no-op, jmp __hotpatch_caught: the mark's entry
//!     static RECORD                                            in hp_marks: its name, its entry, its signature
//!     match __hotpatch_entry(player, amount) { ... }           the panic resumes, in the caller's own copy of std
//! }
//! ```
//!
//! The entry is `extern "C"`, whatever the function itself is: the one ABI that is the same in every build.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, FnArg, Ident, ItemFn, Pat, PatIdent, PatType, Result, ReturnType, Type, parse_quote};

use crate::rules::{self, Arguments};
use crate::text;

pub fn hotpatch(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let arguments: Arguments = syn::parse2(arguments)?;
    let mut function = rules::parse_function(item)?;
    rules::check(&function)?;

    let (outer_attrs, body_attrs) = share_attributes(std::mem::take(&mut function.attrs));
    let types = argument_types(&function);
    let (result, returned) = match &function.sig.output {
        ReturnType::Default => (parse_quote!(()), quote!(result)),
        // `!` has no value to carry, and cannot be a type argument yet.
        ReturnType::Type(_, ty) if matches!(**ty, Type::Never(_)) => {
            (parse_quote!(::core::convert::Infallible), quote!(match result {}))
        }
        ReturnType::Type(_, ty) => ((**ty).clone(), quote!(result)),
    };
    let record = record(&arguments, &function, &result);
    let names = argument_names(&function);
    let ItemFn { vis, sig, block, .. } = function;
    let (generics, bounds) = (&sig.generics, &sig.generics.where_clause);

    let mut outer = sig.clone();
    outer.inputs = parse_quote!(#(#names: #types),*);
    let mut body = sig.clone();
    body.ident = format_ident!("__hotpatch_body");
    body.abi = None;

    Ok(quote! {
        #(#outer_attrs)*
        #vis #outer {
            #(#body_attrs)*
            #body #block

            #[allow(improper_ctypes_definitions, clippy::too_many_arguments)]
            unsafe extern "C" fn __hotpatch_caught #generics (#(#names: #types),*)
                -> ::hotpatch_mark::__private::Outcome<#result> #bounds
            {
                ::hotpatch_mark::__private::catch(move || -> #result { unsafe { __hotpatch_body(#(#names),*) } })
            }

            #[cfg(target_arch = "x86_64")]
            #[allow(improper_ctypes_definitions, clippy::too_many_arguments)]
            #[unsafe(naked)]
            #[unsafe(link_section = "hotpatch")]
            unsafe extern "C" fn __hotpatch_entry #generics (#(#names: #types),*)
                -> ::hotpatch_mark::__private::Outcome<#result> #bounds
            {
                ::core::arch::naked_asm!(
                    ".byte 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x02, 0x00, 0x00", // nopl 0x200(%rax,%rax,1)
                    "jmp {}",
                    ".p2align 4", // aligns the next entry: entries are multiples of 8
                    sym __hotpatch_caught
                )
            }
            #[cfg(not(target_arch = "x86_64"))]
            compile_error!("#[hotpatch] works on x86_64 only: put it behind a feature, #[cfg_attr(feature = \"hotpatch\", hotpatch_mark::hotpatch)]");

            #record

            match unsafe { __hotpatch_entry(#(#names),*) } {
                ::core::result::Result::Ok(result) => #returned,
                ::core::result::Result::Err(panic) => ::hotpatch_mark::__private::resume(panic),
            }
        }
    })
}

/// The author's own names, for documentation and editors; a generated one if the argument is a pattern.
fn argument_names(function: &ItemFn) -> Vec<Ident> {
    let named = function.sig.inputs.iter().enumerate().map(|(i, input)| match input {
        FnArg::Typed(PatType { pat, .. }) => match &**pat {
            Pat::Ident(PatIdent {
                by_ref: None,
                subpat: None,
                ident,
                ..
            }) => ident.clone(),
            _ => format_ident!("__hotpatch_{i}"),
        },
        FnArg::Receiver(_) => format_ident!("__hotpatch_{i}"), // rules.rs has refused it
    });
    named.collect()
}

fn argument_types(function: &ItemFn) -> Vec<Type> {
    let typed = function.sig.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(argument) => Some((*argument.ty).clone()),
        FnArg::Receiver(_) => None, // rules.rs has refused it
    });
    typed.collect()
}

/// The static in section hp_marks (docs/marks.md has it byte by byte).
fn record(arguments: &Arguments, function: &ItemFn, result: &Type) -> TokenStream {
    let own = function.sig.ident.to_string();
    let own = own.strip_prefix("r#").unwrap_or(&own);
    let name = arguments
        .name
        .as_ref()
        .map_or_else(|| own.to_owned(), syn::LitStr::value);
    let signature = text::signature(&function.sig);
    let types = argument_types(function);
    let layouts: Vec<_> = types.iter().chain([result]).map(text::without_lifetimes).collect();
    let count = layouts.len();
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use ::hotpatch_mark::__private::Unknown as _;
            #[used]
            #[unsafe(link_section = "hp_marks")]
            static RECORD: ::hotpatch_mark::__private::FunctionRecord<#count> =
                ::hotpatch_mark::__private::FunctionRecord::new(
                    __hotpatch_entry as *const (),
                    concat!(module_path!(), "::", #name, "\0"),
                    concat!(#signature, "\0"),
                    concat!(file!(), ":", line!(), "\0"),
                    [#(::hotpatch_mark::__private::Layout::new::<#layouts>(
                        ::hotpatch_mark::__private::Known::<#layouts>::THREE,
                    )),*],
                );
        };
    }
}

/// Which attributes the function that callers see keeps, and which go to the body. Levels of lints go to both; what a
/// lint was expected to find is in the body, so the outer one is merely allowed it.
fn share_attributes(attributes: Vec<Attribute>) -> (Vec<Attribute>, Vec<Attribute>) {
    let (mut outer, mut body) = (Vec::new(), Vec::new());
    for attribute in attributes {
        let name = attribute
            .path()
            .get_ident()
            .map(ToString::to_string)
            .unwrap_or_default();
        match name.as_str() {
            "allow" | "warn" | "deny" | "forbid" => {
                outer.push(attribute.clone());
                body.push(attribute);
            }
            "expect" => {
                if let syn::Meta::List(list) = &attribute.meta {
                    let lints = &list.tokens;
                    outer.push(parse_quote!(#[allow(#lints)]));
                }
                body.push(attribute);
            }
            "target_feature" => body.push(attribute),
            _ => outer.push(attribute),
        }
    }
    (outer, body)
}
