//! jq's terms to plain filters, as far as they are plain.

mod calls;

use jaq_core::{
    load::{
        lex::StrPart,
        parse::{BinaryOp, Def, Pattern, Term as Parsed},
    },
    ops::{Cmp, Math},
    path::{Opt, Part as PathPart},
};

use super::{
    filter::{Change, Filter, Function, Part, Step, Term, What},
    value::Type,
};

/// Deeper ones are left to the interpreter.
const DEPTH_MAX: u32 = 200;

type T<'s> = Parsed<&'s str>;

#[derive(Default)]
pub(super) struct Compiler<'s> {
    pub(super) definitions: Vec<Filter>,
    /// Definitions by name and number of arguments, the innermost last; none where they are not plain.
    scope: Vec<(&'s str, usize, Option<usize>)>,
    /// The innermost last.
    variables: Vec<&'s str>,
    depth: u32,
}

impl<'s> Compiler<'s> {
    /// None where the term, or something in it, is not plain.
    pub(super) fn filter(&mut self, term: &T<'s>) -> Option<Filter> {
        if self.depth == DEPTH_MAX {
            return None;
        }
        self.depth += 1;
        let filter = self.of(term);
        self.depth -= 1;
        filter
    }

    fn part(&mut self, term: &T<'s>) -> Option<Part> {
        self.filter(term).map(Box::new)
    }

    /// One that has one output.
    fn single(&mut self, term: &T<'s>) -> Option<Part> {
        self.part(term).filter(|part| part.is_single)
    }

    fn of(&mut self, term: &T<'s>) -> Option<Filter> {
        Some(match term {
            Parsed::Id => Filter::single(Term::Id),
            Parsed::Num(number) => Filter::single(Term::Integer(number.parse().ok()?)),
            Parsed::Neg(of) => match &**of {
                Parsed::Num(number) => Filter::single(Term::Integer(-number.parse::<i64>().ok()?)),
                _ => return None,
            },
            Parsed::Str(None, parts) => self.text(parts)?,
            Parsed::Arr(None) => Filter::single(Term::Array(None)),
            Parsed::Arr(Some(of)) => Filter::single(Term::Array(Some(self.part(of)?))),
            Parsed::Obj(members) => self.object(members)?,
            Parsed::BinOp(l, op, r) => self.operation(l, op, r)?,
            Parsed::IfThenElse(cases, otherwise) => {
                let otherwise = match otherwise {
                    Some(otherwise) => self.filter(otherwise)?,
                    None => Filter::single(Term::Id),
                };
                let mut all = otherwise;
                for (condition, then) in cases.iter().rev() {
                    all = choice(self.filter(condition)?, self.filter(then)?, all);
                }
                all
            }
            // Where something fails, the interpreter has to see it.
            Parsed::TryCatch(of, None) => self.filter(of)?,
            Parsed::Def(definitions, body) => self.with_definitions(definitions, body)?,
            Parsed::Call(name, arguments) => self.call(name, arguments)?,
            Parsed::Var(name) => {
                let outwards = self.variables.iter().rev().position(|variable| variable == name)?;
                Filter::single(Term::Variable(outwards))
            }
            Parsed::Path(of, path) => self.path(of, &path.0)?,
            Parsed::Recurse
            | Parsed::Str(Some(_), _)
            | Parsed::Label(..)
            | Parsed::Break(_)
            | Parsed::Fold(..)
            | Parsed::TryCatch(_, Some(_)) => return None,
        })
    }

    /// A text with what is put into it: the sum of its parts, from the right.
    fn text(&mut self, parts: &[StrPart<&'s str, T<'s>>]) -> Option<Filter> {
        let mut all: Option<Filter> = None;
        for part in parts.iter().rev() {
            let part = match part {
                StrPart::Str(text) => Filter::single(Term::Text((*text).into())),
                StrPart::Char(char) => Filter::single(Term::Text(char.to_string().into())),
                StrPart::Term(of) => pipe(self.filter(of)?, function(Function::ToText)),
            };
            all = Some(match all {
                None => part,
                Some(rest) => joined(part, rest),
            });
        }
        Some(all.unwrap_or_else(|| Filter::single(Term::Text("".into()))))
    }

    fn object(&mut self, members: &[(T<'s>, Option<T<'s>>)]) -> Option<Filter> {
        let mut all = Vec::new();
        for (name, value) in members {
            all.push(match (name, value) {
                (Parsed::Var(variable), None) => {
                    let own = Filter::single(Term::Text(variable.strip_prefix('$')?.into()));
                    (own, self.filter(name)?)
                }
                (_, None) => {
                    let key = Some(self.filter(name)?);
                    let is_single = key.as_ref().is_some_and(|key| key.is_single);
                    let step = Step { key, is_optional: false };
                    let id = Box::new(Filter::single(Term::Id));
                    (self.filter(name)?, Filter { term: Term::Path(id, vec![step]), is_single })
                }
                (_, Some(value)) => (self.filter(name)?, self.filter(value)?),
            });
        }
        let is_single = all.iter().all(|(name, value)| name.is_single && value.is_single);
        Some(Filter { term: Term::Object(all), is_single })
    }

    fn operation(&mut self, l: &T<'s>, op: &BinaryOp<&'s str>, r: &T<'s>) -> Option<Filter> {
        Some(match op {
            BinaryOp::Pipe(None) => pipe(self.filter(l)?, self.filter(r)?),
            BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                let l = self.part(l)?;
                self.variables.push(name);
                let r = self.part(r);
                self.variables.pop();
                of_two(l, r?, Term::Bind)
            }
            BinaryOp::Comma => Filter::many(Term::Comma(self.part(l)?, self.part(r)?)),
            BinaryOp::Alt => of_two(self.part(l)?, self.part(r)?, Term::Alternative),
            BinaryOp::Or => of_two(self.part(l)?, self.part(r)?, |l, r| Term::Logic(l, true, r)),
            BinaryOp::And => of_two(self.part(l)?, self.part(r)?, |l, r| Term::Logic(l, false, r)),
            BinaryOp::Math(Math::Add) => of_two(self.part(l)?, self.part(r)?, Term::Plus),
            BinaryOp::Cmp(op) => compared(self.part(l)?, *op, self.part(r)?),
            BinaryOp::Update if is_each(l) => Filter::single(Term::MapValues(self.single(r)?)),
            BinaryOp::Update => self.change(l, Change::By, r)?,
            BinaryOp::Assign => self.change(l, Change::To, r)?,
            BinaryOp::UpdateMath(Math::Add) => self.change(l, Change::Plus, r)?,
            BinaryOp::UpdateAlt => self.change(l, Change::Else, r)?,
            BinaryOp::Pipe(Some(_)) | BinaryOp::Math(_) | BinaryOp::UpdateMath(_) => return None,
        })
    }

    fn change(&mut self, path: &T<'s>, change: Change, by: &T<'s>) -> Option<Filter> {
        Some(Filter::single(Term::Update(names(path)?, change, self.single(by)?)))
    }

    fn path(&mut self, of: &T<'s>, parts: &[(PathPart<T<'s>>, Opt)]) -> Option<Filter> {
        let of = self.part(of)?;
        let mut steps = Vec::new();
        for (part, opt) in parts {
            let key = match part {
                PathPart::Index(key) => Some(*self.single(key)?),
                PathPart::Range(None, None) => None,
                PathPart::Range(..) => return None,
            };
            steps.push(Step { key, is_optional: matches!(opt, Opt::Optional) });
        }
        let is_single = of.is_single && steps.iter().all(|step| step.key.is_some() && !step.is_optional);
        Some(Filter { term: Term::Path(of, steps), is_single })
    }

    fn with_definitions(&mut self, definitions: &[Def<&'s str>], body: &T<'s>) -> Option<Filter> {
        let outer = self.scope.len();
        for definition in definitions {
            self.define(definition);
        }
        let body = self.filter(body);
        self.scope.truncate(outer);
        body
    }

    /// A body sees no variables from outside: one that names them is not plain.
    fn define(&mut self, definition: &Def<&'s str>) {
        let Def { name, args, body } = definition;
        let variables = std::mem::take(&mut self.variables);
        let before = self.definitions.len();
        let mut index = None;
        if args.is_empty() {
            // Where it calls itself, that call is taken to have one output, if the body then has one.
            for is_single in [true, false] {
                self.definitions.truncate(before);
                self.definitions.push(Filter { term: Term::Empty, is_single });
                self.scope.push((name, 0, Some(before)));
                let body = self.filter(body);
                self.scope.pop();
                let Some(body) = body else { break };
                if body.is_single == is_single {
                    self.definitions[before] = body;
                    index = Some(before);
                    break;
                }
            }
        }
        self.variables = variables;
        self.scope.push((name, args.len(), index));
    }
}

fn function(of: Function) -> Filter {
    Filter::single(Term::Function(of))
}

fn of_two(l: Part, r: Part, term: impl FnOnce(Part, Part) -> Term) -> Filter {
    let is_single = l.is_single && r.is_single;
    Filter { term: term(l, r), is_single }
}

fn pipe(l: Filter, r: Filter) -> Filter {
    of_two(l.into(), r.into(), Term::Pipe)
}

fn joined(l: Filter, r: Filter) -> Filter {
    of_two(l.into(), r.into(), Term::Plus)
}

fn compared(l: Part, op: Cmp, r: Part) -> Filter {
    let is = match op {
        Cmp::Eq => Some(true),
        Cmp::Ne => Some(false),
        _ => None,
    };
    let Some(is) = is else { return of_two(l, r, |l, r| Term::Compare(l, op, r)) };
    if let (Term::Function(Function::TypeName), Term::Text(name)) = (&l.term, &r.term)
        && let Some(of) = Type::of_name(name)
    {
        return Filter::single(Term::Is(id().into(), is, What::Type(of)));
    }
    match What::of(&r.term) {
        Some(what) => {
            let is_single = l.is_single;
            Filter { term: Term::Is(l, is, what), is_single }
        }
        None => of_two(l, r, |l, r| Term::Compare(l, op, r)),
    }
}

impl What {
    /// What a comparison with this looks for, where it is the same for all documents.
    fn of(term: &Term) -> Option<Self> {
        Some(match term {
            Term::Null => Self::Type(Type::Null),
            Term::Array(None) => Self::EmptyArray,
            Term::Object(members) if members.is_empty() => Self::EmptyObject,
            Term::Text(text) => Self::Text(text.clone()),
            _ => return None,
        })
    }
}

fn id() -> Filter {
    Filter::single(Term::Id)
}

fn choice(condition: Filter, then: Filter, otherwise: Filter) -> Filter {
    let is_single = condition.is_single && then.is_single && otherwise.is_single;
    Filter { term: Term::If(condition.into(), then.into(), otherwise.into()), is_single }
}

/// The text, where it is one without anything put into it.
fn literal(term: &T<'_>) -> Option<String> {
    let Parsed::Str(None, parts) = term else { return None };
    let part = |part: &StrPart<&str, T<'_>>| match part {
        StrPart::Str(text) => Some((*text).to_owned()),
        StrPart::Char(char) => Some(char.to_string()),
        StrPart::Term(_) => None,
    };
    parts.iter().map(part).collect()
}

/// The names of a path of members from the document on.
fn names(path: &T<'_>) -> Option<Vec<Box<str>>> {
    let Parsed::Path(of, path) = path else { return None };
    let name = |(part, opt): &(PathPart<T<'_>>, Opt)| match (part, opt) {
        (PathPart::Index(name), Opt::Essential) => literal(name).map(Into::into),
        _ => None,
    };
    if matches!(**of, Parsed::Id) { path.0.iter().map(name).collect() } else { None }
}

/// `.[]`
fn is_each(path: &T<'_>) -> bool {
    let Parsed::Path(of, path) = path else { return false };
    matches!(**of, Parsed::Id) && matches!(path.0[..], [(PathPart::Range(None, None), Opt::Essential)])
}
