//! What a marked function may be. Every broken rule is reported at its location, in a sentence that says what to do
//! instead.

use proc_macro2::Span;
use quote::ToTokens;
use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{Error, GenericParam, Ident, ItemFn, LitStr, Path, Result, Safety, Signature, Token, TypeImplTrait};

/// The attribute's arguments.
pub struct Arguments {
    /// `name = "Player::damage"`: the mark's name inside its module, instead of the function's own.
    pub name: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> Result<Self> {
        const EXPECTED: &str = "unknown argument: write #[hotpatch] or #[hotpatch(name = \"Type::function\")]";
        if input.is_empty() {
            return Ok(Self { name: None });
        }
        let key: Ident = input.parse().map_err(|error| Error::new(error.span(), EXPECTED))?;
        if key != "name" {
            return Err(Error::new(key.span(), EXPECTED));
        }
        input.parse::<Token![=]>()?;
        let name: LitStr = input.parse()?;
        if !input.is_empty() {
            return Err(Error::new(input.span(), EXPECTED));
        }
        let text = name.value();
        if text.is_empty() || text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(Error::new(
                name.span(),
                "a mark's name is a word without spaces, such as \"Player::damage\"",
            ));
        }
        Ok(Self { name: Some(name) })
    }
}

/// The function behind the attribute, or why there is none.
pub fn parse_function(item: proc_macro2::TokenStream) -> Result<ItemFn> {
    syn::parse2(item).map_err(|error| {
        Error::new(
            error.span(),
            "#[hotpatch] goes before a function with a body: mark the functions one by one",
        )
    })
}

/// All rules that the function breaks, as one error.
pub fn check(function: &ItemFn) -> Result<()> {
    let Signature {
        constness,
        asyncness,
        safety,
        abi,
        generics,
        variadic,
        fn_token,
        ..
    } = &function.sig;
    let mut broken = Broken::default();
    if let Some(token) = constness {
        broken.add(token, "a #[hotpatch] function cannot be `const`: the compiler would compute its result at build time; remove `const`");
    }
    if let Some(token) = asyncness {
        broken.add(token, "a #[hotpatch] function cannot be `async`: a future under way keeps its old code; mark a plain function that it calls");
    }
    if !matches!(safety, Safety::Unsafe(_)) {
        broken.add(fn_token, "a #[hotpatch] function must be `unsafe`: its callers promise that arguments and data are still what a later build takes them for; write `unsafe fn`");
    }
    if let Some(abi) = abi
        && abi.name.as_ref().is_some_and(|name| name.value() == "Rust")
    {
        broken.add(
            abi,
            "a #[hotpatch] function cannot be `extern \"Rust\"`: leave the ABI out, or write `extern \"C\"`",
        );
    }
    if let Some(receiver) = function.sig.receiver() {
        broken.add(
            receiver,
            "a #[hotpatch] function cannot take `self`: call a marked function from the method, and pass `this: &Type`",
        );
    }
    if let Some(dots) = variadic {
        broken.add(
            dots,
            "a #[hotpatch] function cannot be variadic: take a slice or a pointer",
        );
    }
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(_) => {}
            GenericParam::Type(_) => broken.add(parameter, "a #[hotpatch] function cannot have type parameters: there is one body per type; mark a function for each concrete type"),
            GenericParam::Const(_) => broken.add(parameter, "a #[hotpatch] function cannot have const parameters: there is one body per value; take the value as an argument"),
        }
    }
    for attribute in &function.attrs {
        if attribute.path().is_ident("track_caller") {
            broken.add(attribute, "a #[hotpatch] function cannot be `#[track_caller]`: its body is reached by a jump; pass `&Location` as an argument");
        }
    }
    broken.visit_signature(&function.sig);
    broken.result()
}

#[derive(Default)]
struct Broken(Option<Error>);

impl Broken {
    fn add(&mut self, place: impl ToTokens, sentence: &str) {
        self.combine(Error::new_spanned(place, sentence));
    }

    fn at(&mut self, place: Span, sentence: &str) {
        self.combine(Error::new(place, sentence));
    }

    fn combine(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    fn result(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// What a signature must not contain, at any depth.
impl<'ast> Visit<'ast> for Broken {
    fn visit_receiver(&mut self, _: &'ast syn::Receiver) {} // has its own sentence

    fn visit_path(&mut self, path: &'ast Path) {
        if let Some(first) = path.segments.first()
            && first.ident == "Self"
        {
            self.at(
                first.span(),
                "a #[hotpatch] signature cannot name `Self`: write the type's own name",
            );
        }
        visit::visit_path(self, path);
    }

    fn visit_type_impl_trait(&mut self, ty: &'ast TypeImplTrait) {
        self.add(ty, "a #[hotpatch] signature cannot hold `impl Trait`: there is one body per type; name the type, or use `&dyn Trait` or `Box<dyn Trait>`");
        visit::visit_type_impl_trait(self, ty);
    }
}
