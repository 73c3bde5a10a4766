from deploy.tasks import namespace
from tests.tasks import test

ns = namespace(__file__)
ns.add_task(test)
