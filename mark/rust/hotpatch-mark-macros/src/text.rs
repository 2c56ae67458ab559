//! Types as text: a record's signature, independent of the author's spacing and lifetime names.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{FnArg, Ident, Lifetime, ReturnType, Signature, Type, TypeFnPtr, TypeReference, parse_quote};

/// `unsafe extern "C" fn(&mut Player, i32) -> i32`: everything that a caller in an older build relies on.
pub fn signature(signature: &Signature) -> String {
    let Signature {
        abi, inputs, output, ..
    } = signature;
    let types = inputs.iter().map(|input| match input {
        FnArg::Typed(argument) => without_lifetimes(&argument.ty),
        FnArg::Receiver(receiver) => parse_quote!(#receiver), // rules.rs has refused it
    });
    let output = match output {
        ReturnType::Default => quote::quote!(),
        ReturnType::Type(arrow, ty) => {
            let ty = without_lifetimes(ty);
            quote::quote!(#arrow #ty)
        }
    };
    tidy(quote::quote!(unsafe #abi fn(#(#types),*) #output))
}

/// A type, as it appears in the signature's text.
pub fn type_text(ty: &Type) -> String {
    tidy(without_lifetimes(ty))
}

/// Tokens with spaces only where they are needed, or help readability.
pub fn tidy(tokens: impl ToTokens) -> String {
    let mut text = String::new();
    write(tokens.to_token_stream(), &mut text);
    for (from, to) in [(",", ", "), ("->", " -> "), ("+", " + "), (";", "; "), ("=", " = ")] {
        text = text.replace(from, to);
    }
    text.replace(", )", ")").replace(", >", ">").trim_end().to_owned()
}

fn write(tokens: TokenStream, text: &mut String) {
    use proc_macro2::{Delimiter, TokenTree};
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => text.push(punct.as_char()),
            word => {
                let word = word.to_string();
                let glued = |c: char| c.is_alphanumeric() || c == '_' || c == '"';
                if text.ends_with(glued) && word.starts_with(glued) {
                    text.push(' ');
                }
                text.push_str(&word);
            }
        }
    }
}

/// The type as a constant outside its function can name it: `'_` for every lifetime but `'static`.
pub fn without_lifetimes(ty: &Type) -> Type {
    let mut ty = ty.clone();
    Anonymous.visit_type_mut(&mut ty);
    ty
}

struct Anonymous;

impl VisitMut for Anonymous {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident != "static" {
            lifetime.ident = Ident::new("_", lifetime.ident.span());
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        reference.lifetime.take_if(|lifetime| lifetime.ident != "static");
        visit_mut::visit_type_reference_mut(self, reference);
    }

    // `for<'a> fn(&'a T)`: the names are its own, and every argument's lifetime is free without them.
    fn visit_type_fn_ptr_mut(&mut self, pointer: &mut TypeFnPtr) {
        pointer.lifetimes = None;
        visit_mut::visit_type_fn_ptr_mut(self, pointer);
    }
}
