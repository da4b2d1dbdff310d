//! What the user wrote: `network! { … }` as a tree that keeps every token's place.
//!
//! [`parse`] goes on after a mistake: a line that cannot be read becomes [`Kind::Broken`] with the names that it may have
//! given, its tokens become [`Unread`] for `habits` to explain, and the next line is read.
//! Deliberately absent: names of layers and losses, shapes, values of constants. `Residual` and `Concat` are here only as
//! statement forms with braces.

pub mod constant;
mod forms;
pub mod function;
pub mod import;
pub mod limits;
mod parse;
mod recover;
mod value;

pub use parse::{diagnostic, parse};
pub(crate) use recover::{begins_line, short};
pub use value::{parse_arguments, parse_dotted};

use crate::diagnostics::{Diagnostic, Source};
use function::Function;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};

/// What is wrong with how a declaration is written, in the order in which it was met.
#[derive(Clone, Debug)]
pub enum Found {
    /// The parser knows what is wrong.
    Told(Diagnostic),
    /// What stands there is nothing of this language; `habits` says what it is in another.
    Unread(Unread),
}

/// A line or item that could not be read.
#[derive(Clone, Debug)]
pub struct Unread {
    pub place: UnreadPlace,
    /// Without its attributes, and with the `;` or the braces that end it.
    pub tokens: Vec<TokenTree>,
    /// The token at which the parser stopped, and what it expected.
    pub stopped: Source,
    pub message: String,
    /// `///` stands before it.
    pub documented: bool,
    /// What the lines before it in the same braces have named.
    pub named: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnreadPlace {
    Item,
    Line,
}

/// One item of `network!`.
#[derive(Clone, Debug)]
pub enum Item {
    Network(Network),
    Block(Block),
    Function(Function),
    Import(Import),
    /// Could not be read; the mistake is reported. The name keeps uses of the network quiet.
    Broken {
        vis: TokenStream,
        name: Ident,
    },
    /// A block or `fn` that could not be read or stands in a network; the mistake is reported. Its uses are quiet.
    Unreadable {
        name: Ident,
    },
}

/// `pub Name<…> { … }`
#[derive(Clone, Debug)]
pub struct Network {
    pub attributes: Vec<syn::Attribute>,
    pub vis: TokenStream,
    pub name: Ident,
    pub constants: Vec<Constant>,
    /// Empty where `origin` has it.
    pub body: Vec<Line>,
    /// `pub Name = Block<…>;`
    pub origin: Option<Box<Origin>>,
    /// The body could be read without a mistake.
    pub intact: bool,
}

/// The block that a network is declared from.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its name with the network's constants.
    pub call: Call,
    /// Its text, if it comes from elsewhere.
    pub import: Option<Import>,
}

/// A `pub block` or `pub fn` of another `network!`.
#[derive(Clone, Debug)]
pub struct Import {
    /// What it is called here.
    pub name: Ident,
    /// What it needs, and last itself.
    pub items: Vec<Item>,
}

/// `block Name<…>(x, …) { … }`
#[derive(Clone, Debug)]
pub struct Block {
    /// They hold for all of its lines.
    pub attributes: Vec<syn::Attribute>,
    pub name: Ident,
    pub constants: Vec<Constant>,
    /// Names of the operands; without `(…)` the block takes the current value.
    pub operands: Option<Vec<Ident>>,
    pub body: Vec<Line>,
    /// The body could be read without a mistake.
    pub intact: bool,
}

impl Block {
    /// `block Up<C, S = 1>(x, skip)`
    pub fn signature(&self) -> String {
        let constants: Vec<String> = self.constants.iter().map(Constant::text).collect();
        let constants = if constants.is_empty() { String::new() } else { format!("<{}>", constants.join(", ")) };
        let operands = self.operands.as_ref().map_or(String::new(), |names| {
            let names: Vec<String> = names.iter().map(Ident::to_string).collect();
            format!("({})", names.join(", "))
        });
        format!("block {}{constants}{operands}", self.name)
    }
}

impl Constant {
    /// As written: `H = 64`.
    pub fn text(&self) -> String {
        match &self.given {
            Given::Required => self.name.to_string(),
            Given::Default(value) => format!("{} = {}", self.name, value.text()),
            Given::Family(members) => {
                let members: Vec<String> = members.iter().map(Argument::text).collect();
                format!("{} in [{}]", self.name, members.join(", "))
            }
        }
    }
}

/// `H = 64`, `H in [8, 32]`, or `H` alone.
#[derive(Clone, Debug)]
pub struct Constant {
    pub name: Ident,
    pub given: Given,
}

#[derive(Clone, Debug)]
pub enum Given {
    Required,
    Default(Box<Argument>),
    Family(Vec<Argument>),
}

/// One statement, with what stands before and behind it.
#[derive(Clone, Debug)]
pub struct Line {
    pub attributes: Vec<syn::Attribute>,
    pub label: Option<Ident>,
    pub kind: Kind,
    /// `… as name`
    pub alias: Option<Ident>,
    pub source: Source,
}

impl Line {
    fn broken(source: Source, item: Option<Ident>, names: Vec<Ident>) -> Line {
        Line { attributes: Vec::new(), label: None, kind: Kind::Broken { item, names }, alias: None, source }
    }
}

#[derive(Clone, Debug)]
pub enum Kind {
    Input {
        name: Ident,
        port: PortSyntax,
    },
    Target {
        name: Ident,
        port: PortSyntax,
    },
    Call(Call),
    /// `{ … }` with a label before it
    Group {
        body: Vec<Line>,
        operands: Option<Vec<Operand>>,
    },
    From(Path),
    Repeat {
        count: Argument,
        body: Vec<Line>,
    },
    If {
        condition: syn::Expr,
        then: Vec<Line>,
        otherwise: Vec<Line>,
    },
    Residual {
        body: Vec<Line>,
        shortcut: Option<Shortcut>,
    },
    Concat {
        branches: Vec<Line>,
    },
    Param {
        name: Ident,
        dims: Vec<Argument>,
        init: Option<Argument>,
    },
    Output(Vec<Path>),
    Loss(Vec<Term>),
    /// Could not be read; the mistake is reported.
    Broken {
        /// The block or `fn` that stands here.
        item: Option<Ident>,
        /// What it may have named: uses of these are quiet.
        names: Vec<Ident>,
    },
}

/// `[1, 28, 28]`, `class<10>`, `ids<[32], 5000>`
#[derive(Clone, Debug)]
pub enum PortSyntax {
    Dense(Vec<Argument>, Source),
    Call(Call),
}

#[derive(Clone, Debug)]
pub struct Shortcut {
    pub name: Option<Ident>,
    /// `if reshaped`
    pub reshaped: bool,
    pub body: Vec<Line>,
    pub source: Source,
}

/// One term of `loss:`.
#[derive(Clone, Debug)]
pub struct Term {
    pub negative: bool,
    pub weight: Option<Argument>,
    pub call: Call,
}

/// `Layer<…>(…)`
#[derive(Clone, Debug)]
pub struct Call {
    pub name: Ident,
    /// `nn.` or `nn::` before the name, as written.
    pub qualifier: Option<(Ident, String)>,
    pub arguments: Vec<Argument>,
    pub operands: Option<Vec<Operand>>,
    pub source: Source,
}

/// `features.low`
#[derive(Clone, Debug)]
pub struct Path {
    pub segments: Vec<Ident>,
}

impl Path {
    pub fn text(&self) -> String {
        let parts: Vec<String> = self.segments.iter().map(Ident::to_string).collect();
        parts.join(".")
    }

    pub fn source(&self) -> Source {
        match (self.segments.first(), self.segments.last()) {
            (Some(first), Some(last)) => Source { first: first.span(), last: last.span() },
            _ => Source::default(),
        }
    }
}

/// What stands in `(…)`.
#[derive(Clone, Debug)]
pub enum Operand {
    /// `_`
    Current(Span),
    Path(Path),
    /// `one_hot(digit)`
    Call(Call),
    /// A number or something else that is no value of the network.
    Other(TokenStream),
}

impl Operand {
    pub fn source(&self) -> Source {
        match self {
            Operand::Current(span) => Source::at(*span),
            Operand::Path(path) => path.source(),
            Operand::Call(call) => call.source,
            Operand::Other(tokens) => Source::of(tokens),
        }
    }
}

/// What stands in `<…>`: `5`, `padding = 2`.
#[derive(Clone, Debug)]
pub struct Argument {
    pub name: Option<Ident>,
    pub value: ArgumentValue,
    /// The value's tokens.
    pub source: Source,
}

#[derive(Clone, Debug)]
pub enum ArgumentValue {
    /// `_`
    Channels,
    /// A literal, or `{…}`.
    Expr(syn::Expr),
    /// `[1, 7]`
    List(Vec<Argument>),
    /// A name, perhaps with arguments of its own: `H`, `fan_out`, `KaimingNormal<mode = fan_out>`.
    Word(Ident, Vec<Argument>),
    Text(String),
}

impl Call {
    /// As written, without operands: `Conv2d<6, 5, padding = 2>`.
    pub fn text(&self) -> String {
        format!("{}{}", self.name, arguments_text(&self.arguments))
    }
}

/// `<6, 5, padding = 2>`, or nothing.
pub fn arguments_text(arguments: &[Argument]) -> String {
    if arguments.is_empty() {
        return String::new();
    }
    let parts: Vec<String> = arguments.iter().map(Argument::text).collect();
    format!("<{}>", parts.join(", "))
}

impl Argument {
    pub fn text(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} = {}", self.value.text()),
            None => self.value.text(),
        }
    }
}

impl ArgumentValue {
    pub fn text(&self) -> String {
        match self {
            ArgumentValue::Channels => "_".into(),
            ArgumentValue::Expr(syn::Expr::Lit(lit)) => constant::tokens_text(lit),
            ArgumentValue::Expr(expr @ syn::Expr::Unary(_)) => constant::tokens_text(expr),
            ArgumentValue::Expr(expr) => format!("{{{}}}", constant::tokens_text(expr)),
            ArgumentValue::List(items) => {
                let parts: Vec<String> = items.iter().map(Argument::text).collect();
                format!("[{}]", parts.join(", "))
            }
            ArgumentValue::Word(name, arguments) => format!("{name}{}", arguments_text(arguments)),
            ArgumentValue::Text(text) => format!("{text:?}"),
        }
    }
}
