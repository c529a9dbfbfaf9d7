// What Wine lacks for these programs, as one library with two names.
//
// As bcryptprimitives.dll: the random numbers that Go starts with. Every program of
// Go loads it, so it also corrects three calls of Wine 8.
//
//   - Go deletes files by FileDispositionInformationEx, and falls back on the older way
//     where Windows answers "invalid class". Wine answers "not implemented", so
//     os.RemoveAll and os.Root failed on every file.
//   - The first instance of a pipe, made without a right to read or write, accepts
//     nobody on Windows. go-winio relies on that. On Wine it accepts the first
//     client, and nobody ever answers.
//   - A symbolic link is said to be made, but is not. Now its making fails, as for
//     most users of Windows.
//
// As curfew-toasts.dll: the parts of Windows' notification service that the tray
// uses. It writes each call to the file in CURFEW_TOASTS. It clicks the button of
// every toast as Windows does: it looks up the program in the registry, lets COM find
// it, and calls it on another thread. Interfaces and their methods are those of
// windows.ui.notifications.idl and windows.data.xml.dom.idl. A call of any other
// method is written, too.
#include <windows.h>
#include <stdio.h>

BOOLEAN NTAPI SystemFunction036(void *, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(BYTE *to, SIZE_T n) { return SystemFunction036(to, (ULONG)n); }

typedef struct _OBJECT_ATTRIBUTES OBJECT_ATTRIBUTES;
NTSTATUS NTAPI NtOpenFile(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, void *, ULONG, ULONG);

static NTSTATUS (NTAPI *set_information)(HANDLE, void *, void *, ULONG, ULONG);
static NTSTATUS NTAPI set_known_information(HANDLE file, void *status, void *from, ULONG n, ULONG class)
{
	return class == 64 ? (NTSTATUS)0xC0000003 /* STATUS_INVALID_INFO_CLASS */ : set_information(file, status, from, n, class);
}

static NTSTATUS (NTAPI *create_pipe)(HANDLE *, ACCESS_MASK, OBJECT_ATTRIBUTES *, void *, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, ULONG, void *);
static NTSTATUS NTAPI create_closed_pipe(HANDLE *pipe, ACCESS_MASK access, OBJECT_ATTRIBUTES *name, void *status, ULONG sharing, ULONG disposition,
	ULONG options, ULONG type, ULONG mode, ULONG completion, ULONG max, ULONG in, ULONG out, void *timeout)
{
	ULONG_PTR ignored[2];
	HANDLE client;
	NTSTATUS s = create_pipe(pipe, access, name, status, sharing, disposition, options, type, mode, completion, max, in, out, timeout);
	if (!s && access == SYNCHRONIZE && !NtOpenFile(&client, SYNCHRONIZE, name, ignored, sharing, 0)) CloseHandle(client);
	return s;
}

static BOOLEAN WINAPI no_link(const WCHAR *at, const WCHAR *to, DWORD flags) { SetLastError(ERROR_PRIVILEGE_NOT_HELD); return FALSE; }

// instead makes a function of a library begin with a jump to another. It returns a
// copy of the function, which only a stub of ntdll survives.
static void *instead(const char *library, const char *name, void *call)
{
	BYTE jump[12] = {0x48, 0xB8, [10] = 0xFF, 0xE0}; // mov rax, ...; jmp rax
	BYTE *at = (BYTE *)GetProcAddress(GetModuleHandleA(library), name);
	void *copy = VirtualAlloc(NULL, 32, MEM_COMMIT | MEM_RESERVE, PAGE_EXECUTE_READWRITE);
	DWORD before;
	memcpy(copy, at, 32);
	memcpy(jump + 2, &call, sizeof call);
	VirtualProtect(at, 32, PAGE_EXECUTE_READWRITE, &before);
	memcpy(at, jump, sizeof jump);
	VirtualProtect(at, 32, before, &before);
	return copy;
}

// The toasts' library is loaded later, and finds the calls replaced.
BOOL WINAPI DllMain(HINSTANCE self, DWORD why, void *reserved)
{
	if (why != DLL_PROCESS_ATTACH || GetModuleHandleA("bcryptprimitives.dll") != self) return TRUE;
	set_information = instead("ntdll.dll", "NtSetInformationFile", set_known_information);
	create_pipe = instead("ntdll.dll", "NtCreateNamedPipeFile", create_closed_pipe);
	instead("kernel32.dll", "CreateSymbolicLinkW", no_link);
	return TRUE;
}

typedef void *HSTRING;
typedef struct object {
	const void **table;
	LONG count;
	int kind;            // for which of faces this was made
	struct object *of;   // what this is another face of
	WCHAR *xml, *tag, *group;
} object;

static LONG living;
static const WCHAR *(WINAPI *text_of)(HSTRING, UINT32 *);

static const WCHAR *text(HSTRING s)
{
	UINT32 n;
	if (!text_of) text_of = (void *)GetProcAddress(LoadLibraryA("combase.dll"), "WindowsGetStringRawBuffer");
	return text_of(s, &n);
}

static void note(const WCHAR *what, const WCHAR *a, const WCHAR *b, const WCHAR *c)
{
	static SRWLOCK lock = SRWLOCK_INIT;
	static WCHAR line[8192];
	static char bytes[16384];
	WCHAR path[MAX_PATH];
	DWORD n;
	HANDLE file;
	if (!GetEnvironmentVariableW(L"CURFEW_TOASTS", path, MAX_PATH)) return;
	AcquireSRWLockExclusive(&lock);
	_snwprintf(line, 8191, L"%ls|%ls|%ls|%ls\n", what, a, b, c);
	n = WideCharToMultiByte(CP_UTF8, 0, line, -1, bytes, sizeof bytes, NULL, NULL) - 1;
	file = CreateFileW(path, FILE_APPEND_DATA, FILE_SHARE_READ | FILE_SHARE_WRITE, NULL, OPEN_ALWAYS, 0, NULL);
	WriteFile(file, bytes, n, &n, NULL);
	CloseHandle(file);
	ReleaseSRWLockExclusive(&lock);
}

enum { documents, document, document_io, toasts, toast, toast2, manager, manager2, notifier, history, kinds };
static const void *tables[kinds][16];
static const struct { int kind, of; const WCHAR *iid; } faces[] = {
	{document, document, L"{F7F3A506-1E87-42D6-BCFB-B8C809FA5494}"},
	{document_io, document, L"{6CD0E74E-EE65-4489-9EBF-CA43E87BA637}"},
	{toasts, toasts, L"{04124B20-82C6-4229-B109-FD9ED4662B53}"},
	{toast2, toast, L"{9DFB9FD1-143A-490E-90BF-B9FBA7132DE7}"},
	{manager, manager, L"{50AC103F-D235-4598-BBEF-98FE4D1A3AD4}"},
	{manager2, manager, L"{7AB93C52-0E48-4750-BA9D-1A4113981847}"},
};

static object *root(object *o) { return o->of ? o->of : o; }

static object *make(int kind, object *of)
{
	object *o = calloc(1, sizeof *o);
	o->table = tables[kind], o->kind = kind, o->count = 1, o->of = of;
	if (of) InterlockedIncrement(&of->count);
	InterlockedIncrement(&living);
	return o;
}

static HRESULT WINAPI query(object *o, const IID *iid, object **out)
{
	WCHAR name[40];
	StringFromGUID2(iid, name, 40);
	for (size_t i = 0; i < sizeof faces / sizeof *faces; i++)
		if (faces[i].of == root(o)->kind && !wcscmp(faces[i].iid, name)) {
			*out = make(faces[i].kind, root(o));
			return S_OK;
		}
	if (!wcscmp(name, L"{00000035-0000-0000-C000-000000000046}")) { // IActivationFactory
		*out = make(o->kind, root(o));
		return S_OK;
	}
	note(L"asked for an interface that is not there", name, L"", L"");
	*out = NULL;
	return E_NOINTERFACE;
}

static ULONG WINAPI hold(object *o) { return InterlockedIncrement(&o->count); }
static ULONG WINAPI drop(object *o)
{
	LONG left = InterlockedDecrement(&o->count);
	if (left < 0) note(L"released once too often", L"", L"", L"");
	if (left == 0) {
		if (o->of) drop(o->of);
		InterlockedDecrement(&living);
	}
	return left;
}
static HRESULT WINAPI wrong(object *o) { note(L"called a method that is not there", L"", L"", L""); return E_NOTIMPL; }

static HRESULT WINAPI new_document(object *o, object **out) { *out = make(document, NULL); return S_OK; }
static HRESULT WINAPI load(object *o, HSTRING xml) { root(o)->xml = _wcsdup(text(xml)); return S_OK; }
static HRESULT WINAPI new_toast(object *o, object *content, object **out)
{
	if (content->table != tables[document]) return E_INVALIDARG;
	*out = make(toast, NULL);
	(*out)->xml = root(content)->xml;
	return S_OK;
}
static HRESULT WINAPI put_tag(object *o, HSTRING s) { root(o)->tag = _wcsdup(text(s)); return S_OK; }
static HRESULT WINAPI put_group(object *o, HSTRING s) { root(o)->group = _wcsdup(text(s)); return S_OK; }
static HRESULT WINAPI new_notifier(object *o, HSTRING app, object **out) { *out = make(notifier, NULL); (*out)->tag = _wcsdup(text(app)); return S_OK; }
static HRESULT WINAPI get_history(object *o, object **out) { *out = make(history, NULL); return S_OK; }
static HRESULT WINAPI removed(object *o, HSTRING tag, HSTRING group, HSTRING app) { note(L"removed", text(tag), text(group), text(app)); return S_OK; }
static HRESULT WINAPI cleared(object *o, HSTRING app)
{
	WCHAR objects[16];
	_snwprintf(objects, 16, L"%ld", living);
	note(L"cleared", text(app), objects, L"");
	return S_OK;
}

typedef struct callback {
	struct {
		HRESULT (WINAPI *query)(struct callback *, const IID *, void **);
		ULONG (WINAPI *hold)(struct callback *), (WINAPI *drop)(struct callback *);
		HRESULT (WINAPI *activate)(struct callback *, const WCHAR *app, const WCHAR *arguments, void *inputs, ULONG count);
	} *table;
} callback;

static DWORD WINAPI click(void *shown)
{
	object *t = shown;
	WCHAR key[256], class[64] = L"", arguments[256], *from, *to;
	DWORD n = sizeof class;
	CLSID clsid;
	IID iid;
	IClassFactory *factory;
	callback *c;
	CoInitializeEx(NULL, COINIT_MULTITHREADED);
	_snwprintf(key, 256, L"Software\\Classes\\AppUserModelId\\%ls", t->group);
	RegGetValueW(HKEY_CURRENT_USER, key, L"CustomActivator", RRF_RT_REG_SZ, NULL, class, &n);
	IIDFromString(L"{53E31837-6600-4A81-9395-75CFFE746F94}", &iid);
	if (CLSIDFromString(class, &clsid) || CoGetClassObject(&clsid, CLSCTX_LOCAL_SERVER, NULL, &IID_IClassFactory, (void **)&factory) ||
	    factory->lpVtbl->CreateInstance(factory, NULL, &iid, (void **)&c)) {
		note(L"found no program for a click", class, L"", L"");
		return 1;
	}
	from = wcsstr(t->xml, L" arguments=\"") + 12;
	to = wcschr(from, L'"');
	wcsncpy(arguments, from, to - from);
	arguments[to - from] = 0;
	c->table->activate(c, t->group, arguments, NULL, 0);
	c->table->drop(c);
	factory->lpVtbl->Release(factory);
	CoUninitialize();
	return 0;
}

static HRESULT WINAPI show(object *o, object *t)
{
	object *copy = calloc(1, sizeof *copy);
	note(L"shown", t->tag, t->group, t->xml);
	copy->xml = t->xml, copy->group = o->tag;
	CloseHandle(CreateThread(NULL, 0, click, copy, 0, NULL));
	return S_OK;
}

__declspec(dllexport) HRESULT WINAPI DllGetActivationFactory(HSTRING class, object **out)
{
	for (int k = 0; k < kinds; k++) {
		for (int i = 3; i < 16; i++) tables[k][i] = wrong;
		tables[k][0] = query, tables[k][1] = hold, tables[k][2] = drop;
	}
	tables[documents][6] = new_document, tables[document_io][6] = load;
	tables[toasts][6] = new_toast, tables[toast2][6] = put_tag, tables[toast2][8] = put_group;
	tables[manager][7] = new_notifier, tables[manager2][6] = get_history, tables[notifier][6] = show;
	tables[history][8] = removed, tables[history][12] = cleared;
	*out = make(wcsstr(text(class), L"XmlDocument") ? documents : wcsstr(text(class), L"Manager") ? manager : toasts, NULL);
	return S_OK;
}
__declspec(dllexport) HRESULT WINAPI DllCanUnloadNow(void) { return S_FALSE; }
