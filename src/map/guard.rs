//! Puts the budget into filters: jq's language has loops without end, and its interpreter bounds none of them.
//!
//! Every loop goes through a definition that calls itself, `reduce`, `foreach` or `range`, so a step is paid for there. It
//! is put in as `!step as $! | …`: names that no filter can write, and a form that paths and tail calls go through.

use jaq_core::{
    load::{
        lex::StrPart,
        parse::{BinaryOp, Def, Pattern, Term},
    },
    ops::Math,
    path::{Part, Path},
};

/// The native filter that pays for a step.
pub(super) const STEP: &str = "!step";

/// The native filter that multiplies.
pub(super) const TIMES: &str = "!times";

const IGNORED: &str = "$!";

type T<'s> = Term<&'s str>;

pub(super) fn definition(def: Def<&str>) -> Def<&str> {
    let body = term(def.body);
    let body = if calls(&body, def.name, def.args.len()) { paid(body) } else { body };
    Def { body, ..def }
}

fn paid(body: T<'_>) -> T<'_> {
    bound(Term::Call(STEP, Vec::new()), body)
}

fn bound<'s>(value: T<'s>, body: T<'s>) -> T<'s> {
    Term::BinOp(value.into(), BinaryOp::Pipe(Some(Pattern::Var(IGNORED))), body.into())
}

pub(super) fn term(of: T<'_>) -> T<'_> {
    match of {
        Term::BinOp(l, BinaryOp::Math(Math::Mul), r) => Term::Call(TIMES, vec![term(*l), term(*r)]),
        // As jq's manual has it: `r as $x | l |= . * $x`.
        Term::BinOp(l, BinaryOp::UpdateMath(Math::Mul), r) => {
            let times = Term::Call(TIMES, vec![Term::Id, Term::Var(IGNORED)]);
            bound(term(*r), Term::BinOp(term(*l).into(), BinaryOp::Update, times.into()))
        }
        Term::Fold(name, xs, pattern_of, parts) => {
            let parts = parts.into_iter().map(term).enumerate();
            let parts = parts.map(|(at, part)| if at == 1 { paid(part) } else { part }).collect();
            Term::Fold(name, term(*xs).into(), pattern(pattern_of), parts)
        }
        Term::Def(defs, body) => Term::Def(defs.into_iter().map(definition).collect(), term(*body).into()),
        other => with_parts(other, &mut term),
    }
}

/// The same with its parts replaced.
fn with_parts<'s>(of: T<'s>, f: &mut dyn FnMut(T<'s>) -> T<'s>) -> T<'s> {
    match of {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => of,
        Term::Str(format, parts) => {
            let part = |part| match part {
                StrPart::Term(of) => StrPart::Term(f(of)),
                text => text,
            };
            Term::Str(format, parts.into_iter().map(part).collect())
        }
        Term::Arr(of) => Term::Arr(of.map(|of| f(*of).into())),
        Term::Obj(members) => {
            Term::Obj(members.into_iter().map(|(name, value)| (f(name), value.map(&mut *f))).collect())
        }
        Term::Neg(of) => Term::Neg(f(*of).into()),
        Term::BinOp(l, op, r) => {
            let op = match op {
                BinaryOp::Pipe(Some(of)) => BinaryOp::Pipe(Some(pattern(of))),
                op => op,
            };
            Term::BinOp(f(*l).into(), op, f(*r).into())
        }
        Term::Label(name, of) => Term::Label(name, f(*of).into()),
        Term::Fold(name, xs, of, parts) => {
            Term::Fold(name, f(*xs).into(), of, parts.into_iter().map(f).collect())
        }
        Term::TryCatch(of, catch) => Term::TryCatch(f(*of).into(), catch.map(|catch| f(*catch).into())),
        Term::IfThenElse(cases, otherwise) => {
            let cases = cases.into_iter().map(|(condition, then)| (f(condition), f(then))).collect();
            Term::IfThenElse(cases, otherwise.map(|otherwise| f(*otherwise).into()))
        }
        Term::Def(defs, of) => {
            let def = |def: Def<&'s str>| Def { body: f(def.body), ..def };
            let defs = defs.into_iter().map(def).collect();
            Term::Def(defs, f(*of).into())
        }
        Term::Call(name, args) => Term::Call(name, args.into_iter().map(f).collect()),
        Term::Path(of, Path(parts)) => {
            let of = f(*of);
            let mut part = |part| match part {
                Part::Index(at) => Part::Index(f(at)),
                Part::Range(from, to) => Part::Range(from.map(&mut *f), to.map(&mut *f)),
            };
            Term::Path(of.into(), Path(parts.into_iter().map(|(of, opt)| (part(of), opt)).collect()))
        }
    }
}

fn pattern(of: Pattern<&str>) -> Pattern<&str> {
    match of {
        Pattern::Var(name) => Pattern::Var(name),
        Pattern::Arr(items) => Pattern::Arr(items.into_iter().map(pattern).collect()),
        Pattern::Obj(members) => {
            Pattern::Obj(members.into_iter().map(|(name, value)| (term(name), pattern(value))).collect())
        }
    }
}

/// Whether a filter of this name and number of arguments is called in it, whichever it is.
fn calls(of: &T<'_>, name: &str, args: usize) -> bool {
    let mut found = false;
    let mut look = |part: T<'_>| {
        found = found || calls(&part, name, args);
        Term::Id
    };
    if let Term::Call(called, with) = of
        && *called == name
        && with.len() == args
    {
        return true;
    }
    // A pattern may call filters, too, for the names of members: then a step is paid for without need.
    if let Term::BinOp(_, BinaryOp::Pipe(Some(Pattern::Arr(_) | Pattern::Obj(_))), _) | Term::Fold(..) = of {
        return true;
    }
    with_parts(of.clone(), &mut look);
    found
}
