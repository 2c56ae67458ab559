//! `#[derive(HotpatchLayout)]`: a hash of the layout, which function records contain for their arguments, and a record of
//! the type, by which a change is named.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Data, DeriveInput, Field, Fields, GenericParam, Member, Type, parse_quote};

use crate::text;

/// How deep pointers are followed; one constant for each depth, because a type may hold a pointer to itself.
const DEPTHS: [&str; 4] = ["FLAT", "ONE", "TWO", "THREE"];

pub fn layout(input: &DeriveInput) -> TokenStream {
    let name = &input.ident;
    let mut generics = input.generics.clone();
    for parameter in generics.type_params_mut() {
        parameter.bounds.push(parse_quote!(::hotpatch_mark::HotpatchLayout));
    }
    let (parameters, arguments, bounds) = generics.split_for_impl();
    let parts = Part::of(&input.data);
    let constants = DEPTHS.iter().map(|depth| {
        let depth = format_ident!("{depth}");
        let parts = parts.iter().map(|part| part.hashed(&depth));
        quote! {
            const #depth: u64 = {
                #[allow(unused_imports)]
                use ::hotpatch_mark::__private::{Known, Unknown as _};
                ::hotpatch_mark::__private::Hash::of::<Self>()#(#parts)*.value()
            };
        }
    });
    let record = record(input, &parts);
    quote! {
        #[automatically_derived]
        impl #parameters ::hotpatch_mark::HotpatchLayout for #name #arguments #bounds {
            #(#constants)*
        }
        #record
    }
}

/// A field, or a variant of an enum. The offsets of a variant's fields are unavailable; the type's size and the variants'
/// text must do.
struct Part {
    name: String,
    text: String,
    /// Null for a variant.
    field: Option<(Member, Type)>,
    /// Its contents: the field's own type, or those of the variant's fields.
    types: Vec<Type>,
}

impl Part {
    fn of(data: &Data) -> Vec<Self> {
        let fields = |fields: &Fields| fields.members().zip(fields).map(|(m, f)| Self::field(m, f)).collect();
        match data {
            Data::Struct(data) => fields(&data.fields),
            Data::Union(data) => fields(&Fields::Named(data.fields.clone())),
            Data::Enum(data) => data.variants.iter().map(Self::variant).collect(),
        }
    }

    fn field(member: Member, field: &Field) -> Self {
        let name = match &member {
            Member::Named(name) => name.to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        let ty = field.ty.clone();
        Self {
            name,
            text: text::type_text(&ty),
            field: Some((member, ty.clone())),
            types: vec![ty],
        }
    }

    fn variant(variant: &syn::Variant) -> Self {
        let fields = variant.fields.iter().map(|field| {
            let ty = text::type_text(&field.ty);
            field
                .ident
                .as_ref()
                .map_or_else(|| ty.clone(), |name| format!("{name}: {ty}"))
        });
        let mut words = match &variant.fields {
            Fields::Unit => String::new(),
            _ => format!("({})", fields.collect::<Vec<_>>().join(", ")),
        };
        if let Some((_, value)) = &variant.discriminant {
            words.push_str(&format!(" = {}", text::tidy(value)));
        }
        let types = variant.fields.iter().map(|field| field.ty.clone()).collect();
        Self {
            name: variant.ident.to_string(),
            text: words.trim_start().to_owned(),
            field: None,
            types,
        }
    }

    fn hashed(&self, depth: &syn::Ident) -> TokenStream {
        let Self { name, text, types, .. } = self;
        let place = self
            .field
            .as_ref()
            .map(|(member, _)| quote!(.number(::core::mem::offset_of!(Self, #member) as u64)));
        quote! {
            .text(#name).text(#text)#place
            #(.number(::core::mem::size_of::<#types>() as u64).number(Known::<#types>::#depth))*
        }
    }

    /// As a constant outside of the impl.
    fn described(&self, owner: &Type) -> TokenStream {
        let Self { name, text, .. } = self;
        let (offset, size) = match &self.field {
            None => (quote!(::hotpatch_mark::__private::NO_OFFSET), quote!(0)),
            Some((member, ty)) => {
                let ty = text::without_lifetimes(ty);
                (
                    quote!(::core::mem::offset_of!(#owner, #member)),
                    quote!(::core::mem::size_of::<#ty>()),
                )
            }
        };
        quote!(::hotpatch_mark::__private::Part::new(concat!(#name, "\0"), concat!(#text, "\0"), #offset, #size))
    }
}

/// The static in section hp_types. A generic type is many types and has none: only its hash tells.
fn record(input: &DeriveInput, parts: &[Part]) -> TokenStream {
    let name = &input.ident;
    if input
        .generics
        .params
        .iter()
        .any(|one| !matches!(one, GenericParam::Lifetime(_)))
    {
        return quote!();
    }
    let lifetimes = input.generics.lifetimes().map(|_| quote!('static));
    let owner: Type = if input.generics.params.is_empty() {
        parse_quote!(#name)
    } else {
        parse_quote!(#name<#(#lifetimes),*>)
    };
    let count = parts.len();
    let described = parts.iter().map(|part| part.described(&owner));
    let text = name.to_string();
    quote! {
        const _: () = {
            #[used]
            #[unsafe(link_section = "hp_types")]
            static RECORD: ::hotpatch_mark::__private::TypeRecord<#count> =
                ::hotpatch_mark::__private::TypeRecord::new::<#owner>(
                    concat!(module_path!(), "::", #text, "\0"),
                    [#(#described),*],
                );
        };
    }
}
