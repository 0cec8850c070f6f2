// Throws and catches for argv[1] seconds, through destructors, virtual calls, sorting and a foreign library's
// frames, for whatever samples it. Prints how many exceptions were caught.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

struct Guard {
	static unsigned long closed;
	std::string name;
	explicit Guard(int n) : name("guard " + std::to_string(n)) {}
	~Guard() { closed += name.size(); }
};
unsigned long Guard::closed;

struct Node {
	virtual ~Node() {}
	virtual int descend(int depth, std::vector<int> &order) = 0;
};

struct Leaf : Node {
	int descend(int depth, std::vector<int> &order) override
	{
		Guard guard(depth);
		order.push_back(depth);
		if (depth % 3 == 0)
			throw std::runtime_error("leaf " + std::to_string(depth));
		if (depth % 3 == 1)
			throw depth;
		return depth;
	}
};

struct Branch : Node {
	Node *next;
	explicit Branch(Node *n) : next(n) {}
	int descend(int depth, std::vector<int> &order) override
	{
		Guard guard(depth);
		try {
			return next->descend(depth + 1, order) + 1;
		} catch (const std::logic_error &) {
			return 0;
		}
	}
};

extern "C" int compare_throwing(const void *a, const void *b)
{
	int x = *static_cast<const int *>(a), y = *static_cast<const int *>(b);

	if (x == 77)
		throw std::out_of_range("in qsort");
	return x - y;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? std::atof(argv[1]) : 1;
	std::clock_t end = std::clock() + static_cast<std::clock_t>(seconds * CLOCKS_PER_SEC);
	unsigned long caught = 0;
	Leaf leaf;
	std::vector<Branch> branches;
	std::map<std::string, int> seen;
	std::regex words("([a-z]+) ([0-9]+)");

	branches.reserve(24);
	for (int i = 0; i < 24; i++)
		branches.emplace_back(i ? static_cast<Node *>(&branches[i - 1]) : &leaf);
	for (int round = 0; std::clock() < end; round++) {
		std::vector<int> order;
		try {
			branches[round % 24].descend(round % 5, order);
		} catch (const std::runtime_error &error) {
			std::smatch match;
			std::string text = error.what();
			if (std::regex_search(text, match, words))
				seen[match[1].str() + match[2].str()]++;
			caught++;
		} catch (int) {
			caught++;
		}
		std::vector<int> numbers;
		for (int i = 0; i < 60; i++)
			numbers.push_back((i * 37 + round) % 101);
		std::function<bool(int, int)> less = [](int a, int b) { return a % 10 < b % 10; };
		std::stable_sort(numbers.begin(), numbers.end(), less);
		try {
			std::qsort(numbers.data(), numbers.size(), sizeof(int), compare_throwing);
		} catch (const std::out_of_range &) {
			caught++;
		}
	}
	std::printf("caught %lu, %zu kinds, %lu\n", caught, seen.size(), Guard::closed);
	return caught ? 0 : 1;
}
