# Makes the datasets of cases, and compares what operations made of them with what numpy makes.
#
# Called with `make` or `compare` and the cases as JSON: {op, src, args, des}, where src has {h5path, select?}, and
# des has those and {dtype, shape}. Everything that a case does not write must still be 7.
rng = np.random.default_rng(42)
SHAPE = (60, 40)


def edged(array):
    flat = array.reshape(-1)
    if array.dtype.kind in 'fc':
        flat[:8] = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5]
    else:
        info = np.iinfo(array.dtype)
        flat[:6] = [info.min, info.max, 0, 1, 2, 3]
    return array


def sources():
    normal = rng.normal(size=SHAPE) * 10
    yield 'f8', edged(normal.astype('f8'))
    yield 'g8', edged(rng.normal(size=SHAPE).astype('f8'))
    yield 'f4be', edged(normal.astype('>f4'))
    yield 'f2', edged(normal.astype('f2'))
    yield 'i4', edged(rng.integers(-1000, 1000, SHAPE).astype('i4'))
    yield 'i2be', edged(rng.integers(-1000, 1000, SHAPE).astype('>i2'))
    yield 'u1', edged(rng.integers(0, 255, SHAPE).astype('u1'))
    yield 'u8', edged(rng.integers(0, 2**63, SHAPE).astype('u8'))
    yield 'b', rng.integers(0, 2, SHAPE).astype('?')
    yield 'c16', edged((normal + 1j * rng.normal(size=SHAPE)).astype('c16'))
    yield 'row', np.arange(1, 41, dtype='f8')
    yield 'column', np.arange(-30, 30, dtype='i8').reshape(60, 1)
    yield 'scalar', np.float64(2.5)
    yield 'cube', rng.integers(-9, 9, (20, 9, 13)).astype('i2')
    yield 'none', np.zeros((0, 5), 'f8')


def make(cases):
    for name, data in sources():
        f.create_dataset(name, data=data)
    for case in cases:
        for des in case['des']:
            dtype = np.dtype(des['dtype'])
            f.create_dataset(des['h5path'], data=np.full(des['shape'], 7, dtype))


def window(text):
    return eval(f'np.s_[{text[1:-1]}]')


def scalar(value):
    if isinstance(value, dict):
        return complex(value['r'], value['i'])
    return float(value) if isinstance(value, str) else value


def wanted(case, operands):
    op, args = case['op'], dict(case['args'])
    args.pop('casting', None)
    if op == 'fill':
        return [np.asarray(scalar(args['value']))]
    if op == 'astype':
        return [operands[0]]
    if op == 'where':
        rest = iter(operands[1:])
        sides = [scalar(args[name]) if name in args else next(rest) for name in ('x', 'y')]
        return [np.where(operands[0], *sides)]
    if op == 'clip':
        rest = iter(operands[1:])
        bounds = [scalar(args[name]) if args.get(name) is not None else None if name in args else next(rest, None) for name in ('min', 'max')]
        return [np.clip(operands[0], *bounds)]
    if op in ('min', 'max', 'argmin', 'argmax', 'sum', 'prod', 'mean', 'std', 'var', 'any', 'all', 'count'):
        axis = args.pop('axis', None)
        axis = tuple(axis) if isinstance(axis, list) else axis
        function = np.count_nonzero if op == 'count' else getattr(np, op)
        return [np.asarray(function(operands[0], axis=axis, **args))]
    function = getattr(np, op)
    rest = iter(operands)
    given = [scalar(args[name]) if name in args else next(rest) for name in ('x1', 'x2')[:function.nin]]
    made = function(*given)
    return list(made) if isinstance(made, tuple) else [made]


def same(found, right, exact):
    if found.dtype.kind not in 'fc':
        return np.array_equal(found, right)
    if exact:
        return np.array_equal(found, right, equal_nan=True)
    # A sum differs with the order of its terms, which are up to 40 here.
    eps = np.finfo(found.dtype).eps
    return np.allclose(found, right, rtol=8 * eps, atol=640 * eps, equal_nan=True)


def compare(cases):
    data = dict(sources())
    wrong = []
    for case in cases:
        operands = []
        for src in case['src']:
            operand = data[src['h5path'].strip('/')]
            operands.append(operand[window(src['select'])] if 'select' in src else operand)
        with np.errstate(all='ignore'):
            results = wanted(case, operands)
        for des, result in zip(case['des'], results):
            right = np.full(des['shape'], 7, np.dtype(des['dtype']))
            at = window(des['select']) if 'select' in des else ...
            with np.errstate(all='ignore'):
                casting = 'unsafe' if case['op'] == 'astype' else case['args'].get('casting', 'same_kind')
                cast = result if case['op'] == 'fill' else result.astype(right.dtype, casting=casting)
                right[at] = cast.reshape(right[at].shape) if cast.size == right[at].size == 1 else cast
            found = np.asarray(f[des['h5path']][...])
            if found.dtype.names == ('r', 'i'):
                found = found.view(right.dtype)
            assert found.dtype == right.dtype, (found.dtype, right.dtype)
            if not same(found, right, case.get('exact', True)):
                bad = np.argwhere(~((found == right) | ((found != found) & (right != right))))[:3].tolist()
                wrong.append([case, bad, [str(found[tuple(index)]) for index in bad], [str(right[tuple(index)]) for index in bad]])
    print(json.dumps(wrong))


cases = json.loads(sys.argv[2])
make(cases) if sys.argv[1] == 'make' else compare(cases)
